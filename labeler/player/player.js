// The Label page. A key press stores the answer in the outbox, shows the next clip and plays it; the server is told
// beside that. `element` is the component's node. This file has the state and the screen; tabs.js,
// clips.js and side.js stand before it in the same function, sound.js, answering.js, keys.js and start.js after it.
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
