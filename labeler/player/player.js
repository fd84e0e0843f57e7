// The Label page. A key press stores the answer in the outbox, shows the next clip and plays it; the server is told
// beside that. `element` is the component's node; tabs.js, clips.js and side.js stand before this in the same function.
const {config, outbox, session: sessions} = window.earmark;
const root = element.querySelector('#earmark-player');
const $ = (selector) => root.querySelector(selector);
const LIT = 150, SEEK = 0.5, STATUS_EVERY = 2000, RENEW_EVERY = 180000, EMPTY_EVERY = 2000, KEPT = 30000;
const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];
const UNDO_STEPS = 100;

const keep = (name, value) => { try { localStorage.setItem(`earmark:${name}`, value); } catch { /* kept for this page only */ } };
const kept = (name) => { try { return localStorage.getItem(`earmark:${name}`); } catch { return null; } };
let speed = SPEEDS.includes(Number(kept('speed'))) ? Number(kept('speed')) : 1;
let autoplay = kept('autoplay') !== 'off';

const keys = new Map();
const classButtons = new Map();
const actionButton = (name) => $(`.ep-actions [data-do=${name}]`);

/* ---- what this person answered, newest first: the server's word, and what it does not know yet ---- */
const mine = new Map();                                // request_id -> entry, answers given here a moment ago
const undone = new Set();                              // request_ids taken back here
let stored = [];

function answers() {
  const now = Date.now();
  const known = new Set(stored.map((entry) => entry.request_id));
  const waiting = new Set(outbox.state().pending.map((body) => body.request_id));
  for (const [id, entry] of mine) {
    if (!waiting.has(id) && now - Date.parse(entry.at) > KEPT) mine.delete(id);
  }
  const local = [...mine.values()].filter((entry) => !known.has(entry.request_id)).reverse();
  return [...local, ...stored].filter((entry) => !undone.has(entry.request_id)).slice(0, UNDO_STEPS);
}

for (const body of outbox.state().pending) {           // from before a reload
  if (body.action === 'undo') undone.add(body.undoes);
  else mine.set(body.request_id, {...body, at: new Date().toISOString()});
}

const side = makeSide(root, {config, earmark: window.earmark, undo: (entry) => takeBack(entry)});
const tabs = makeTabs(config.uid, {
  answered(clip) {
    clips.drop(clip);
    if (clips.current?.clip === clip) { settle(); show(clips.next(), {quiet: true}); say('This clip was answered in another tab.'); }
    sessions.ask();
  },
  joined() {},
});
const clips = makeClips({uid: config.uid, outbox, tabs, filled});

/* ---- the screen ---- */
let message = '';
function say(text) { $('.ep-live').textContent = text; }

function setState(state) {
  if (root.dataset.state === state) return;
  root.dataset.state = state;
  $('.ep-play-word').textContent = state === 'playing' ? 'Pause' : 'Play';
  if (state === 'playing') requestAnimationFrame(follow);
}

function put(text) {
  message = text;
  $('.ep-message').textContent = text;
  $('.ep-message').hidden = !text;
}

function moveCursor() {
  const audio = clips.current?.audio;
  const of = audio?.duration || clips.current?.seconds || 0, at = audio?.currentTime || 0;
  $('.ep-cursor').style.transform = `translateX(${of ? 100 * Math.min(1, at / of) : 0}%)`;
  const shown = at.toFixed(1);
  if ($('.ep-at').textContent !== shown) $('.ep-at').textContent = shown;
}

function follow() {
  moveCursor();
  if (root.dataset.state === 'playing') requestAnimationFrame(follow);
}

function describePosition() {
  const {current} = clips;
  $('.ep-picture').setAttribute('aria-valuemax', (current?.seconds || 0).toFixed(2));
  $('.ep-picture').setAttribute('aria-valuenow', (current?.audio?.currentTime || 0).toFixed(2));
}

function show(item, {quiet = false} = {}) {
  root.dataset.clip = item ? item.clip : '';
  $('.ep-start').hidden = true;
  $('.ep-sound').replaceChildren(...(item?.audio ? [item.audio] : []));
  $('.ep-image').replaceChildren(...(item?.image ? [item.image] : []));
  $('.ep-cursor').hidden = !item?.audio;
  $('.ep-of').textContent = (item?.seconds || 0).toFixed(1);
  $('.ep-reason').textContent = !item ? '' : item.former ? `Taken back. Your answer was: ${side.word(item.former)}` : item.reason;
  $('.ep-suggestion').textContent = '';
  for (const [name, button] of classButtons) mark(button, item?.former?.action === 'label' && item.former.class === name);
  for (const name of ['unsure', 'bad_audio', 'skip']) mark(actionButton(name), item?.former?.action === name);
  const note = $('.ep-note input');
  note.value = item?.former?.note || '';
  openNote(Boolean(note.value));
  if (!item) {
    setState('loading');
    put('Loading the next clip…');
  } else if (item.failure) {
    setState('ready');
    put(`This clip cannot be heard: ${item.failure}. Press B for bad audio, or S to skip it.`);
  } else if (!item.audio) {
    setState('loading');
    put('Loading the clip…');
  } else {
    put('');
    setState('ready');
    item.audio.currentTime = 0;
    item.audio.defaultPlaybackRate = item.audio.playbackRate = speed;
    if (autoplay && !quiet && !document.hidden) play();
  }
  moveCursor();
  describePosition();
}

function mark(button, former) {
  if (button.classList.contains('ep-former') === former) return;
  button.classList.toggle('ep-former', former);
  if (former) button.setAttribute('aria-description', 'your answer before');
  else button.removeAttribute('aria-description');
}

function filled(end) {
  if (!clips.current && clips.waiting) { show(clips.next()); return; }
  if (!end || clips.current) return;
  if (end.trouble) { setState('loading'); put(end.trouble); return; }
  if (end.nothing) empty();
}

let emptyTimer = 0;
async function empty() {
  setState('empty');
  await sessions.ask(true);
  if (root.dataset.state !== 'empty') return;
  clearTimeout(emptyTimer);
  emptyTimer = setTimeout(() => { if (!document.hidden) clips.fill(); }, EMPTY_EVERY);
}

/* ---- sound ---- */
function play() {
  const item = clips.current;
  if (!item?.audio) return;
  $('.ep-start').hidden = true;
  item.audio.play().catch((error) => {
    if (item !== clips.current || error.name === 'AbortError') return;
    if (error.name === 'NotAllowedError') $('.ep-start').hidden = false;
    else put(`This clip cannot be played: ${error.message}. Press B for bad audio, or S to skip it.`);
  });
}

function replay() {
  const audio = clips.current?.audio;
  if (!audio) return;
  audio.currentTime = 0;
  play();
}

function playOrPause() {
  const audio = clips.current?.audio;
  if (!audio) return;
  if (audio.ended) replay();
  else if (audio.paused) play();
  else audio.pause();
}

function seek(seconds) {
  const audio = clips.current?.audio;
  if (!audio) return;
  audio.currentTime = Math.max(0, Math.min(audio.duration || 0, seconds));
  moveCursor();
  describePosition();
}

function setSpeed(step) {
  speed = SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, SPEEDS.indexOf(speed) + step))];
  keep('speed', speed);
  const audio = clips.current?.audio;
  if (audio) audio.defaultPlaybackRate = audio.playbackRate = speed;
  showSettings();
}

function setAutoplay() {
  autoplay = !autoplay;
  keep('autoplay', autoplay ? 'on' : 'off');
  showSettings();
}

function showSettings() {
  $('.ep-rate').textContent = `×${speed % 0.5 ? speed.toFixed(2) : speed.toFixed(1)}`;
  $('.ep-on').textContent = autoplay ? 'on' : 'off';
  $('.ep-autoplay').setAttribute('aria-pressed', String(autoplay));
}

// Stops counting what is heard of the clip on the screen; used at each pause and before the clip leaves.
function silence() {
  const item = clips.current;
  if (item?.soundingSince != null) { item.heard += performance.now() - item.soundingSince; item.soundingSince = null; }
}

function settle() {
  silence();
  clips.current?.audio?.pause();
}

// Media events do not bubble, but they can be caught on the way down; only the clip on the screen is in there.
const heard = {
  playing() {
    const item = clips.current;
    item.firstSound ??= performance.now();
    item.soundingSince ??= performance.now();
    $('.ep-start').hidden = true;
    setState('playing');
  },
  pause() { silence(); setState(clips.current.audio.ended || !clips.current.audio.currentTime ? 'ready' : 'paused'); moveCursor(); describePosition(); },
  ended() { silence(); setState('ready'); moveCursor(); describePosition(); },
  waiting() { silence(); },
  seeked() { moveCursor(); describePosition(); },
};
for (const [name, react] of Object.entries(heard)) {
  $('.ep-sound').addEventListener(name, (event) => { if (event.target === clips.current?.audio) react(); }, true);
}

/* ---- answers ---- */
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

/* ---- keys ---- */
const actions = {
  play: playOrPause, replay, slower: () => setSpeed(-1), faster: () => setSpeed(1), autoplay: setAutoplay,
  unsure: () => answer('unsure'), bad_audio: () => answer('bad_audio'), skip: () => answer('skip'), undo: undoLast,
  suggest, note: () => openNote(true, true), help,
  back: () => seek((clips.current?.audio?.currentTime || 0) - SEEK),
  forward: () => seek((clips.current?.audio?.currentTime || 0) + SEEK),
};
const ACTION_KEYS = [
  [' ', 'play', 'Space', 'play, pause, play again'], ['r', 'replay', 'R', 'replay from the start'],
  ['ArrowLeft', 'back', '←', 'half a second back'], ['ArrowRight', 'forward', '→', 'half a second on'],
  ['-', 'slower', '− or ,', 'slower'], [',', 'slower'], ['+', 'faster', '+ or .', 'faster'], ['.', 'faster'],
  ['a', 'autoplay', 'A', 'autoplay on or off'], ['u', 'unsure', 'U', 'unsure: stands, nothing is learnt from it'],
  ['b', 'bad_audio', 'B', 'bad audio: takes the clip out'], ['s', 'skip', 'S', 'skip: the clip comes back last'],
  ['z', 'undo', 'Z', 'undo, as many steps as you like'], ['h', 'suggest', 'H', 'show what the model would say; that it was shown is stored'],
  ['n', 'note', 'N', 'write a note'], ['?', 'help', '?', 'this list'],
];

function build() {
  const row = (shown, words) => {
    const line = document.createElement('div'), term = document.createElement('dt'), what = document.createElement('dd');
    term.append(Object.assign(document.createElement('kbd'), {textContent: shown}));
    what.textContent = words;
    line.append(term, what);
    return line;
  };
  const table = $('.ep-keys');
  for (const {name, key} of config.classes) {
    const button = document.createElement('button');
    button.type = 'button';
    button.dataset.class = name;
    const cap = Object.assign(document.createElement('kbd'), {textContent: key.toUpperCase()});
    const swatch = Object.assign(document.createElement('i'), {ariaHidden: 'true'});
    swatch.style.background = config.colours[name];
    button.append(cap, swatch, Object.assign(document.createElement('span'), {textContent: name}));
    button.addEventListener('click', () => answer('label', name));
    classButtons.set(name, button);
    keys.set(key.toLowerCase(), () => answer('label', name));
    $('.ep-classes').append(button);
    table.append(row(key.toUpperCase(), name));
  }
  for (const [key, name, shown, words] of ACTION_KEYS) {
    keys.set(key, actions[name]);
    if (shown) table.append(row(shown, words));
  }
  for (const button of root.querySelectorAll('[data-do]')) button.addEventListener('click', () => actions[button.dataset.do]());
  const field = $('.ep-note input');
  field.addEventListener('keydown', (event) => {
    if (event.isComposing || !['Enter', 'Escape'].includes(event.key)) return;
    event.preventDefault();
    field.blur();
    if (!field.value.trim()) openNote(false);
  });
  const picture = $('.ep-picture');
  picture.addEventListener('pointerdown', (event) => {
    if (event.button !== 0 || !clips.current?.audio) return;
    const {left, width} = picture.getBoundingClientRect();
    seek((event.clientX - left) / width * (clips.current.audio.duration || 0));
    play();
  });
}

const writes = (node) => node.isContentEditable || (node.matches?.('input, textarea, select') && !['checkbox', 'radio', 'button', 'submit'].includes(node.type));
const keyOf = (event) => {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (keys.has(key)) return event.shiftKey && /^[a-z]$/.test(key) ? null : key;
  // A keyboard whose digits need Shift (French), and the number pad.
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code);
  return digit && !event.shiftKey && keys.has(digit[1]) ? digit[1] : null;
};

// Caught before any element sees them, so that Space never presses the button that happens to have the focus.
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || writes(event.target)) return;
  const key = keyOf(event);
  if (key === null) return;
  if ($('.ep-help').open && ![' ', '?'].includes(key)) return;
  event.preventDefault();
  event.stopPropagation();
  if (!event.repeat || key.startsWith('Arrow')) keys.get(key)();
}
window.addEventListener('keydown', onKey, true);
window.addEventListener('keyup', (event) => { if (event.key === ' ' && !writes(event.target)) event.preventDefault(); }, true);

/* ---- what the server says, while the page is seen ---- */
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
