// Answers that the server has not acknowledged yet. They live in localStorage, one key each, so that a reload, a crash
// or a second tab loses none; sending one twice is harmless, as the server knows each request_id.
(() => {
  const {uid} = window.earmark.config;
  const OUT = `earmark:${uid}:out:`, REFUSED = `earmark:${uid}:refused:`, SAVED = `earmark:${uid}:saved`;
  const UNREACHED = 'the server does not answer';
  const WAIT_FIRST = 500, WAIT_MOST = 8000, TIMEOUT = 15000;
  const listeners = new Set();
  const memory = new Map();             // what a full or forbidden localStorage could not take
  let flushing = false, failures = 0, timer = 0, trouble = null, serial = 0;

  const put = (key, value) => {
    try { localStorage.setItem(key, JSON.stringify(value)); } catch { memory.set(key, value); }
  };
  const drop = (key) => {
    memory.delete(key);
    try { localStorage.removeItem(key); } catch { /* it was only in memory */ }
  };
  const list = (prefix) => {
    const found = [...memory].filter(([key]) => key.startsWith(prefix)).map(([key, value]) => ({key, ...value}));
    try {
      for (let i = 0; i < localStorage.length; i++) {
        const key = localStorage.key(i);
        if (!key.startsWith(prefix)) continue;
        try { found.push({key, ...JSON.parse(localStorage.getItem(key))}); } catch { drop(key); }
      }
    } catch { /* storage forbidden: memory has all there is */ }
    return found.sort((a, b) => (a.key < b.key ? -1 : 1));
  };
  const read = (key) => {
    try { return JSON.parse(localStorage.getItem(key)); } catch { return null; }
  };
  const state = () => ({
    pending: list(OUT).map((entry) => entry.body),
    refused: list(REFUSED),
    saved: read(SAVED),
    trouble,
  });
  const changed = () => { const now = state(); for (const listener of listeners) listener(now); };

  async function send(body) {
    const response = await fetch('/api/labels', {
      method: 'POST',
      headers: {'Content-Type': 'application/json', 'X-Earmark-Project': uid},
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT),
    });
    const reply = await response.json().catch(() => ({}));
    return {status: response.status, reply};
  }

  // A refused answer will never be accepted, however often it is sent; all else is worth another try. 421 means that
  // the server at this address now belongs to another project: these answers wait until theirs is back.
  const final = (status) => status >= 400 && status < 500 && ![401, 403, 408, 421, 425, 429].includes(status);

  async function flush() {
    if (flushing) return;
    flushing = true;
    clearTimeout(timer);
    try {
      for (let entry = list(OUT)[0]; entry; entry = list(OUT)[0]) {
        const {status, reply} = await send(entry.body);
        if (status === 200 || status === 201) {
          put(SAVED, reply.at);
          drop(entry.key);
        } else if (final(status)) {
          const reason = reply.reason || `the server answered ${status}`;
          put(REFUSED + entry.key.slice(OUT.length), {body: entry.body, status, reason});
          drop(entry.key);
        } else {
          throw new Error(reply.reason || `the server answered ${status}`);
        }
        failures = 0;
        trouble = null;
        changed();
      }
    } catch (error) {
      // A browser's words for a lost connection differ and help nobody.
      trouble = ['TypeError', 'TimeoutError', 'AbortError'].includes(error.name) ? UNREACHED : error.message;
      timer = setTimeout(flush, Math.min(WAIT_MOST, WAIT_FIRST * 2 ** failures++));
      changed();
    } finally {
      flushing = false;
    }
  }

  window.addEventListener('storage', (event) => { if (!event.key || event.key.startsWith(`earmark:${uid}:`)) changed(); });
  window.addEventListener('online', () => { failures = 0; flush(); });
  document.addEventListener('visibilitychange', () => { if (!document.hidden) flush(); });

  window.earmark.outbox = {
    state,
    flush,
    UNREACHED,
    // Keys sort by time and then by order within this page, so an undo always leaves after what it undoes.
    add(body) {
      put(`${OUT}${String(Date.now()).padStart(15, '0')}:${String(serial++).padStart(6, '0')}:${body.request_id}`, {body});
      changed();
      flush();
    },
    dismiss(key) { drop(key); changed(); },
    saved(at) { if (at && !(read(SAVED) > at)) { put(SAVED, at); changed(); } },
    watch(listener) { listeners.add(listener); listener(state()); },
  };
  flush();
})();
