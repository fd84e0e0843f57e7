// Buttons and keys, and what each of them does.
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
