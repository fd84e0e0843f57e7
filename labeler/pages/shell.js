// The header of every page: what is saved, who is signed in, light or dark, and what must not be overlooked.
(() => {
  const {config, outbox, theme} = window.earmark;
  const SESSION_EVERY = 5000;
  const plural = (n, one, many) => `${n} ${n === 1 ? one : many}`;
  const clock = (iso) => new Date(iso).toLocaleTimeString([], {hour: '2-digit', minute: '2-digit', hour12: false});
  const sessions = new Set();
  let header = null, asked = 0, lost = false;

  // Three parts; the one in the middle may be left out where the room is short.
  function saveLine({pending, saved, trouble}) {
    if (!pending.length) return [saved ? `All saved, ${clock(saved)}` : 'All saved', '', ''];
    const word = pending.length === 1 ? 'answer ' : 'answers ';
    return [`${pending.length} `, word, trouble ? 'not saved yet, trying again' : 'not saved yet'];
  }

  function render(state) {
    if (!header) return;
    const line = header.querySelector('.em-save');
    const [before, word, after] = saveLine(state);
    const waiting = state.pending.length > 0;
    line.dataset.unsaved = state.pending.length;
    line.classList.toggle('em-waiting', waiting && Boolean(state.trouble));
    if (line.textContent !== before + word + after) {
      const long = Object.assign(document.createElement('span'), {className: 'em-long', textContent: word});
      line.replaceChildren(before, long, after);
    }
    const box = header.querySelector('.em-refused');
    box.hidden = state.refused.length === 0;
    header.querySelector('.em-refused summary').textContent = `${plural(state.refused.length, 'answer', 'answers')} refused`;
    header.querySelector('.em-refused ul').replaceChildren(...state.refused.map((entry) => {
      const item = document.createElement('li');
      const words = document.createElement('span');
      const {action, clip} = entry.body;
      words.textContent = `${entry.body.class || action.replace('_', ' ')} for clip ${clip}: ${entry.reason}`;
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = 'Remove from this list';
      button.addEventListener('click', () => outbox.dismiss(entry.key));
      item.append(words, button);
      return item;
    }));
  }

  function themeButton() {
    const button = header.querySelector('.em-theme');
    const dark = theme.now() === 'dark';
    button.setAttribute('aria-label', dark ? 'Change to the light theme' : 'Change to the dark theme');
    button.title = button.getAttribute('aria-label');
  }

  function notices(texts) {
    const place = header.querySelector('.em-notices');
    if (place.dataset.shown === texts.join('\n')) return;
    place.dataset.shown = texts.join('\n');
    place.replaceChildren(...texts.map((text) => {
      const line = document.createElement('p');
      line.textContent = text;
      return line;
    }));
  }

  // One line while the server cannot be reached, or cannot store: what it says, and that nothing is lost.
  function showTrouble() {
    if (!header) return;
    const {pending, trouble} = outbox.state();
    const reason = pending.length && trouble ? trouble : lost ? outbox.UNREACHED : '';
    const text = reason && `${reason[0].toUpperCase()}${reason.slice(1)}. Answers are kept in this browser until they are saved.`;
    const place = header.querySelector('.em-trouble');
    if (place.textContent !== text) place.textContent = text;
  }

  let lastNotices = config.notices;
  async function ask(empty = false) {
    if (document.hidden) return;
    asked = Date.now();
    try {
      const response = await fetch(`/api/session${empty ? '?empty=1' : ''}`, {headers: {'X-Earmark-Project': config.uid}, signal: AbortSignal.timeout(10000)});
      if (!response.ok) throw new Error(String(response.status));
      const session = await response.json();
      lost = false;
      lastNotices = session.notices;
      if (session.recent.length) outbox.saved(session.recent[0].at);
      for (const listener of sessions) listener(session);
    } catch {
      lost = true;
    }
    if (header) notices(lastNotices);
    showTrouble();
  }

  document.addEventListener('visibilitychange', () => { if (!document.hidden && Date.now() - asked > 1000) ask(); });
  setInterval(() => ask(), SESSION_EVERY);
  ask();

  Object.assign(window.earmark, {
    clock,
    plural,
    // Called by the header's own component once it stands in the page.
    mountHeader(element) {
      header = element.querySelector('.em-header');
      header.querySelector('.em-theme').addEventListener('click', () => theme.toggle());
      window.addEventListener('earmark:theme', themeButton);
      themeButton();
      notices(lastNotices);
      outbox.watch(render);
      outbox.watch(showTrouble);
    },
    // The label page listens to each new session document; `ask` brings one now.
    session: {watch(listener) { sessions.add(listener); }, ask},
  });
})();
