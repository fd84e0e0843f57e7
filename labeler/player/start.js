// What the server says while the page is seen; and the beginning.
let statusAsked = 0;
async function askStatus() {
  if (document.hidden) return;
  statusAsked = Date.now();
  try {
    const response = await fetch('/api/status', {signal: AbortSignal.timeout(10000)});
    if (response.ok) side.status(await response.json());
  } catch { /* the header says that the server does not answer */ }
}

sessions.watch((found) => {
  stored = found.recent;
  const known = new Set(stored.map((entry) => entry.request_id));
  for (const id of undone) if (!known.has(id) && !mine.has(id) && !outbox.state().pending.some((body) => body.undoes === id)) undone.delete(id);
  side.session(found);
  side.answers(answers());
  if (root.dataset.state === 'empty' && found.empty) put(found.empty);
  const changed = JSON.stringify(found.classes) !== JSON.stringify(config.classes);
  if (changed) say('The classes of this project have changed. Load the page again.');
});
let unsaved = 0;
outbox.watch(({pending, refused}) => {
  root.dataset.unsaved = pending.length;
  for (const {body} of refused) {                      // what the server did not take did not happen
    mine.delete(body.request_id);
    if (body.action === 'undo') undone.delete(body.undoes);
  }
  // A clip that was skipped when no other was left is free again once the server knows.
  if (pending.length < unsaved && root.dataset.state === 'empty') clips.fill();
  unsaved = pending.length;
});

document.addEventListener('visibilitychange', () => {
  if (document.hidden) return;
  if (Date.now() - statusAsked > 1000) askStatus();
  clips.fill();
});
window.addEventListener('pageshow', (event) => { if (event.persisted) location.reload(); });
setInterval(askStatus, STATUS_EVERY);
setInterval(() => clips.fill(), RENEW_EVERY);

build();
showSettings();
put('Loading the first clip…');
askStatus();
sessions.ask();
tabs.ask().then(() => clips.fill());
