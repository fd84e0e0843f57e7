// The Export page: a choice, what it holds, and an export that runs beside the page and can be watched.
const root = element.querySelector('.ex');
const {plural, clock} = window.earmark;
const $ = (selector) => root.querySelector(selector);
const CHOICE = 'earmark:export';
const LOOK_EVERY = 400;
let known = {formats: [], rules: [], round: null, made: []}, asked = 0, running = null;

function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  Object.assign(node, properties);
  node.append(...children.filter((child) => child !== null));
  return node;
}

async function ask(path, options = {}) {
  const response = await fetch(path, {signal: AbortSignal.timeout(60000), ...options}).catch(() => null);
  if (!response) throw new Error('The server does not answer. Try again when it is back.');
  const body = await response.json();
  if (!response.ok) throw new Error(body.reason);
  return body;
}

function pick(type, name, value, title, words, {checked = false, disabled = false} = {}) {
  return make('label', {className: 'ex-pick'}, make('input', {type, name, value, checked, disabled}),
    make('span', {}, make('b', {textContent: title}), make('small', {textContent: words})));
}

const choice = () => {
  const form = new FormData($('.ex-form'));
  return {format: form.get('format'), consensus: form.get('consensus') || null, predictions: form.get('predictions') === 'yes'};
};
const size = (bytes) => (bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : bytes < 1e9 ? `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB` : `${(bytes / 1e9).toFixed(1)} GB`);
const when = (iso) => { const day = new Date(iso); return day.toDateString() === new Date().toDateString() ? clock(iso) : `${day.toLocaleDateString()} ${clock(iso)}`; };

function cards() {
  let kept = {};
  try { kept = JSON.parse(sessionStorage.getItem(CHOICE)) || {}; } catch { /* the first format */ }
  const format = known.formats.some((one) => one.name === kept.format) ? kept.format : known.formats[0].name;
  $('.ex-cards').replaceChildren(...known.formats.map((one) => pick('radio', 'format', one.name, one.title, `For ${one.reader}`, {checked: one.name === format})));
  const rules = [{name: '', title: 'Every answer', explanation: 'one row for each clip and annotator'},
    ...known.rules.map((rule) => ({...rule, title: `Consensus: ${rule.name}`}))];
  $('.ex-rules .ex-list').replaceChildren(...rules.map((rule) => pick('radio', 'consensus', rule.name, rule.title, rule.explanation, {checked: rule.name === (kept.consensus || '')})));
  const words = known.round === null ? 'There is no model yet: it comes with the first labels of two classes.'
    : `rows of annotator model:${known.round}, with the calibrated probability as confidence`;
  $('.ex-more .ex-list').replaceChildren(pick('checkbox', 'predictions', 'yes', 'Add the model\'s predictions', words,
    {checked: Boolean(kept.predictions) && known.round !== null, disabled: known.round === null}));
}

function table({columns, first}) {
  const place = $('.ex-preview');
  place.replaceChildren(make('table', {},
    make('thead', {}, make('tr', {}, ...columns.map((textContent) => make('th', {textContent, scope: 'col'})))),
    make('tbody', {}, ...first.map((row) => make('tr', {}, ...columns.map((name) => {
      const value = row[name];
      return value === null ? make('td', {textContent: 'none', className: 'ex-none'}) : make('td', {textContent: String(value), title: String(value)});
    }))))));
}

const ACTIONS = {label: ['label', 'labels'], unsure: ['unsure', 'unsure'], bad_audio: ['bad audio', 'bad audio'], prediction: ['prediction', 'predictions']};

async function look() {
  const mine = ++asked, {format, consensus, predictions} = choice();
  try { sessionStorage.setItem(CHOICE, JSON.stringify({format, consensus, predictions})); } catch { /* not kept */ }
  const one = known.formats.find((item) => item.name === format);
  try {
    const found = await ask(`/api/export/preview?${new URLSearchParams({format, consensus: consensus || '', predictions})}`);
    if (mine !== asked) return;
    if (found.blocked) throw new Error(found.blocked);
    const parts = Object.entries(found.actions).map(([action, n]) => plural(n, ...(ACTIONS[action] || [action, action])));
    $('.ex-count').textContent = `${plural(found.rows, 'row', 'rows')} on ${plural(found.clips, 'clip', 'clips')}: ${parts.join(', ')}.`;
    $('.ex-holds').textContent = `${one.holds}${found.audio_bytes ? ` Copies about ${size(found.audio_bytes)} of audio.` : ''}`;
    $('.ex-out').replaceChildren(...found.left_out.map((words) => make('li', {textContent: `Left out: ${words}.`})));
    $('.ex-warnings').replaceChildren(
      ...(found.refused ? [make('p', {className: 'pg-error', textContent: `This format cannot hold the classes of this project: ${found.refused}. Choose another one.`})] : []),
      ...found.notices.map((textContent) => make('p', {className: 'pg-warn', textContent})));
    table(found);
    $('.ex-command code').textContent = found.command;
    $('.ex-go').disabled = Boolean(running) || Boolean(found.refused);
  } catch (error) {
    if (mine !== asked) return;
    $('.ex-count').textContent = error.message;
    $('.ex-holds').textContent = one.holds;
    $('.ex-out').replaceChildren();
    $('.ex-warnings').replaceChildren();
    $('.ex-preview').replaceChildren(make('p', {className: 'pg-note', textContent: 'No row to show.'}));
    $('.ex-command code').textContent = `earmark export --format ${format}`;
    $('.ex-go').disabled = true;
  }
  $('.ex-read').textContent = one.read_with.replace('{path}', 'PATH');
  root.setAttribute('aria-busy', 'false');
}

function made() {
  const place = $('.ex-made');
  if (!known.made.length) {
    place.replaceChildren(make('p', {className: 'pg-note', textContent: 'None yet. They are kept in the folder exports/ of the workspace.'}));
    return;
  }
  place.className = 'ex-made pg-scroll';
  place.replaceChildren(make('table', {},
    make('thead', {}, make('tr', {}, ...['written', 'size', 'file'].map((textContent) => make('th', {textContent, scope: 'col'})))),
    make('tbody', {}, ...known.made.map(({name, url, at, bytes}) => make('tr', {},
      make('td', {textContent: when(at), className: 'pg-nowrap'}), make('td', {textContent: size(bytes), className: 'pg-nowrap'}),
      make('td', {}, make('a', {href: url, textContent: url.endsWith('.zip') ? `${name} (zip)` : name, className: 'pg-button', download: ''})))))));
}

function busy(job) {
  running = job;
  const button = $('.ex-go');
  button.disabled = Boolean(job);
  button.textContent = job ? 'Exporting…' : 'Export';
  $('.ex-bar').hidden = !job;
}

function told(job) {
  if (job.state === 'failed') {
    $('.ex-result').replaceChildren(make('p', {className: 'pg-error', textContent: job.reason}));
    return;
  }
  const words = make('span', {}, `Written in ${job.seconds < 1 ? 'under a second' : plural(Math.round(job.seconds), 'second', 'seconds')}: ${plural(job.rows, 'row', 'rows')}, ${size(job.bytes)}. `, make('code', {textContent: job.path}));
  $('.ex-result').replaceChildren(make('p', {}, words, make('a', {href: job.url, className: 'pg-button', download: '', textContent: job.url.endsWith('.zip') ? 'Download as zip' : 'Download'})));
}

async function go() {
  busy('starting');
  $('.ex-result').replaceChildren();
  try {
    const {job} = await ask('/api/export', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(choice())});
    for (;;) {
      const found = await ask(`/api/export/jobs/${job}`);
      const share = found.total ? Math.round(100 * found.done / found.total) : 0;
      $('.ex-bar').setAttribute('aria-valuenow', share);
      $('.ex-bar i').style.width = `${share}%`;
      if (found.state !== 'running') { told(found); break; }
      await new Promise((resolve) => { setTimeout(resolve, LOOK_EVERY); });
    }
    known = await ask('/api/export');
    made();
  } catch (error) {
    $('.ex-result').replaceChildren(make('p', {className: 'pg-error', textContent: error.message}));
  }
  busy(null);
  look();
}

async function copy() {
  const button = $('.ex-copy');
  try {
    await navigator.clipboard.writeText($('.ex-command code').textContent);
    button.textContent = 'Copied';
  } catch {
    getSelection().selectAllChildren($('.ex-command code'));
    button.textContent = 'Selected';
  }
  setTimeout(() => { button.textContent = 'Copy'; }, 2000);
}

$('.ex-form').addEventListener('change', look);
$('.ex-form').addEventListener('submit', (event) => event.preventDefault());
$('.ex-go').addEventListener('click', go);
$('.ex-copy').addEventListener('click', copy);
document.addEventListener('visibilitychange', () => { if (!document.hidden && known.formats.length) look(); });
(async () => {
  try {
    known = await ask('/api/export');
    cards();
    made();
    await look();
  } catch (error) {
    $('.ex-count').textContent = error.message;
  }
})();
