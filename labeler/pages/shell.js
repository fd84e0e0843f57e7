// The header of every page: what is saved, who is signed in, light or dark, and what must not be overlooked.
(() => {
  const {config, outbox, theme} = window.earmark;
  const SESSION_EVERY = 5000;
  const plural = (n, one, many) => `${n} ${n === 1 ? one : many}`;
  const clock = (iso) => new Date(iso).toLocaleTimeString([], {hour: '2-digit', minute: '2-digit', hour12: false});
  const sessions = new Set();
  let header = null, asked = 0, lost = false;

  function saveLine({pending, saved, trouble}) {
    if (!pending.length) return saved ? `All saved, ${clock(saved)}` : 'All saved';
    const what = `${plural(pending.length, 'answer', 'answers')} not saved yet`;
    return trouble ? `${what}, trying again (${trouble})` : `${what}`;
  }

  function render(state) {
    if (!header) return;
    const line = header.querySelector('.em-save');
    const text = saveLine(state);
    const waiting = state.pending.length > 0;
    line.dataset.unsaved = state.pending.length;
    line.classList.toggle('em-waiting', waiting && Boolean(state.trouble));
    if (line.textContent !== text) line.textContent = text;
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
    const lines = lost ? [...texts, 'The server does not answer. Answers are kept in this browser until it is back.'] : texts;
    if (place.dataset.shown === lines.join('\n')) return;
    place.dataset.shown = lines.join('\n');
    place.replaceChildren(...lines.map((text) => {
      const line = document.createElement('p');
      line.textContent = text;
      return line;
    }));
  }

  let lastNotices = config.notices;
  async function ask() {
    if (document.hidden) return;
    asked = Date.now();
    try {
      const response = await fetch('/api/session', {headers: {'X-Earmark-Project': config.uid}, signal: AbortSignal.timeout(10000)});
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
  }

  document.addEventListener('visibilitychange', () => { if (!document.hidden && Date.now() - asked > 1000) ask(); });
  setInterval(ask, SESSION_EVERY);
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
    },
    // The label page listens to each new session document; `ask` brings one now.
    session: {watch(listener) { sessions.add(listener); }, ask},
  });
})();
