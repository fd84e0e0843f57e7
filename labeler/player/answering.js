// What a person does with a clip: answer, take back, ask for the suggestion, write a note.
function answer(action, klass = null) {
  const item = clips.current;
  if (!item || item.loading) return false;
  settle();
  const note = $('.ep-note input').value.trim();
  const body = {
    request_id: crypto.randomUUID(),
    clip: item.clip,
    action,
    heard_ms: Math.max(0, Math.round(item.heard)),
    decided_ms: item.firstSound === null ? 0 : Math.max(0, Math.round(performance.now() - item.firstSound)),
    suggestion_shown: item.suggestionShown,
  };
  if (klass) body.class = klass;
  if (note) body.note = note;
  if (speed !== 1) body.extra = {speed};
  mine.set(body.request_id, {...body, at: new Date().toISOString()});
  outbox.add(body);
  tabs.answer(item.clip);
  light(klass ? classButtons.get(klass) : actionButton(action));
  const next = clips.next();
  show(next);
  say(`${side.word(body)}. ${next ? `Next clip, ${next.seconds.toFixed(1)} seconds.` : 'Loading the next clip.'}`);
  requestAnimationFrame(() => side.answers(answers()));
  return true;
}

function undoLast() {
  const [last] = answers();
  if (!last) { say('There is nothing to take back.'); return; }
  light(actionButton('undo'));
  takeBack(last);
}

async function takeBack(entry) {
  if (undone.has(entry.request_id)) return;
  undone.add(entry.request_id);
  mine.delete(entry.request_id);
  outbox.add({request_id: crypto.randomUUID(), clip: entry.clip, action: 'undo', undoes: entry.request_id});
  settle();
  const item = clips.back(entry.clip, entry);
  side.answers(answers());
  say(`Taken back: ${side.word(entry)}.`);
  if (item.audio) { show(item); return; }
  item.loading = true;
  show(item);
  await loadNow(item);
}

async function loadNow(item) {
  try {
    await clips.load(item);
  } catch {
    if (clips.current === item) { item.loading = true; put('The server does not answer; trying again.'); }
    setTimeout(() => loadNow(item), 1500);
    return;
  }
  if (clips.current === item) show(item);
}

function light(button) {
  button.classList.add('ep-lit');
  clearTimeout(button.lit);
  button.lit = setTimeout(() => button.classList.remove('ep-lit'), LIT);
}

async function suggest() {
  const item = clips.current;
  if (!item) return;
  let found;
  try { found = await clips.suggestion(item.clip); } catch { found = undefined; }
  if (clips.current !== item) return;
  if (found) item.suggestionShown = true;
  $('.ep-suggestion').textContent = found ? `The model would say: ${found}`
    : found === null ? 'There is no suggestion for this clip: no model knew it when it was chosen.'
    : 'The suggestion cannot be had now: the server does not answer.';
  say($('.ep-suggestion').textContent);
}

function openNote(open, focus = false) {
  $('.ep-note').hidden = !open;
  actionButton('note').setAttribute('aria-expanded', String(open));
  if (open && focus) $('.ep-note input').focus();
}

function help() {
  const dialog = $('.ep-help');
  if (dialog.open) dialog.close(); else dialog.showModal();
}
