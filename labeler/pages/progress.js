// The Progress page. One document from the server every two seconds while the tab is looked at; a part of the page is
// touched only when its own part of the document has changed, so nothing moves unless there is something new.
const EVERY = 2000, AT_ONCE = 5;
const root = element.querySelector('.pg');
const {config, plural, clock} = window.earmark;
const $ = (selector) => root.querySelector(selector);
const plots = makePlots();
const two = (value) => (value === null || value === undefined ? '–' : value.toFixed(2));
const signed = (value) => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(2)}`;
const minutes = (value) => (value < 1 ? 'under a minute' : plural(Math.round(value), 'minute', 'minutes'));
const shown = new Map();

function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === 'data') Object.assign(node.dataset, value); else node[name] = value;
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

// Calls `change` only when `value` differs from the last time this part was shown.
function part(name, value, change) {
  const text = JSON.stringify(value);
  if (shown.get(name) === text) return;
  shown.set(name, text);
  change(value);
}

const say = (selector, words) => { const node = $(selector); if (node.textContent !== words) node.textContent = words; };

function weakest(now) {
  const found = Object.entries(now.recall || {}).sort((a, b) => a[1][0] - b[1][0]);
  return found.length ? {name: found[0][0], recall: found[0][1]} : null;
}

function figures({now, spent, gain}) {
  const card = (title, value, of, more, words = false) => make('div', {},
    make('dt', {textContent: title}),
    make('dd', {},
      make('div', {className: `pg-value${words ? ' pg-words' : ''}`, textContent: value}),
      make('div', {className: 'pg-of', textContent: of}),
      more ? make('div', {className: 'pg-more', textContent: more}) : null));
  const list = [];
  if (now) {
    const speakers = now.speaker_low === null || now.speaker_low === undefined ? '' : `Over speakers ${two(now.speaker_low)} to ${two(now.speaker_high)}. `;
    const cv = now.cv_uar === null || now.cv_uar === undefined ? '' : `Cross-validated on labelled clips ${two(now.cv_uar)}.`;
    list.push(card('UAR now', two(now.uar), `${two(now.low)} to ${two(now.high)}; ${plural(now.labels, 'label', 'labels')}, ${now.evaluation} evaluation clips, round ${now.round}`, `${speakers}${cv}`));
  } else {
    list.push(card('UAR now', 'Not measured yet', 'It starts with the curve below.', '', true));
  }
  const rest = spent.left === 0 ? 'The budget is spent; you may go on.'
    : spent.minutes_left === null ? `${spent.left} left.`
    : `At ${spent.per_minute.toFixed(1)} a minute, ${minutes(spent.minutes_left)} to ${spent.budget}.`;
  list.push(card('Spent', `${spent.standing} of ${spent.budget}`,
    spent.standing ? `answers in ${minutes(spent.minutes)} of listening` : 'answers so far',
    `${plural(spent.training, 'label', 'labels')} to train on, ${spent.evaluation} to measure with. ${rest}`));
  const weak = now && weakest(now);
  if (weak) {
    const [recall, low, high, n] = weak.recall;
    const none = now.missing && now.missing.length ? `No evaluation label yet: ${now.missing.join(', ')}.` : '';
    list.push(card('Weakest class', weak.name, `recall ${two(recall)} (${two(low)} to ${two(high)}), ${Math.round(recall * n)} of ${plural(n, 'clip', 'clips')}`, none));
  } else {
    list.push(card('Weakest class', 'Not known yet', 'Known when the curve has started.', '', true));
  }
  if (gain) {
    list.push(card('What labels still bring', signed(gain.now - gain.before), `with the last ${gain.labels} labels, ${two(gain.before)} to ${two(gain.now)}`,
      'Measured; the next 50 are not foretold.'));
  } else {
    list.push(card('What labels still bring', 'Not known yet', 'Known when the curve is 50 labels long.', '', true));
  }
  $('.pg-figures').replaceChildren(...list);
}

function drawCurve(found) {
  const along = $('.pg-switch input:checked').value;
  const {now, figures: drawn} = found;
  const words = now ? `UAR against ${along}, ${plural(found.points, 'round', 'rounds')}: now ${two(now.uar)}, ${two(now.low)} to ${two(now.high)}, with ${now.labels} labels.` : '';
  plots.draw($('#pg-curve'), drawn[along], words);
  say('#pg-curve-note', found.curve_empty || 'Every dot is a round, judged on all evaluation answers of today. The band is the 95 % interval over evaluation clips.');
}

function judged({now, curve_empty, figures: drawn}) {
  plots.draw($('#pg-recall'), drawn.recall, now ? `Recall: ${Object.entries(now.recall).map(([name, [value]]) => `${name} ${two(value)}`).join(', ')}.` : '');
  plots.draw($('#pg-confusion'), drawn.confusion, 'Confusion matrix: rows are answers of people, columns what the model says. The counts are in the CSV.');
  const missing = now && now.missing && now.missing.length ? ` Without an evaluation label, and left out: ${now.missing.join(', ')}.` : '';
  say('#pg-recall-note', now ? `Of ${now.evaluation} evaluation clips, with 95 % intervals.${missing}` : 'Shown when the curve starts.');
  say('#pg-confusion-note', now ? 'Shares of each row in per cent; counts on pointing.' : 'Shown when the curve starts.');
  for (const link of root.querySelectorAll('a[download]')) link.hidden = Boolean(curve_empty);
}

function rows(place, entries) {
  place.className = 'pg-rows';
  place.replaceChildren(...entries.flatMap(({name, colour, parts, count}) => {
    const label = make('span', {className: 'pg-name'}, colour ? make('i') : null, name);
    if (colour) label.firstChild.style.background = colour;
    const track = make('span', {className: 'pg-track'});
    for (const {share, hatched, fill} of parts) {
      const bar = make('b', {className: hatched ? 'pg-hatched' : ''});
      bar.style.width = `${100 * share}%`;
      bar.style.backgroundColor = fill;
      track.append(bar);
    }
    track.setAttribute('aria-hidden', 'true');
    return [label, track, make('span', {className: 'pg-count', textContent: count})];
  }));
}

function covered({classes, unsure, bad_audio, speakers, unknown_speakers}) {
  const most = Math.max(1, ...classes.map((one) => one.training + one.evaluation));
  rows($('#pg-classes'), classes.map(({name, training, evaluation}) => ({
    name,
    colour: config.colours[name],
    parts: [
      {share: training / most, fill: config.colours[name]},
      {share: evaluation / most, fill: config.colours[name], hatched: true},
    ],
    count: `${training} + ${evaluation}`,
  })));
  const none = classes.filter((one) => one.training === 0).map((one) => one.name);
  const empty = classes.every((one) => one.training + one.evaluation === 0);
  say('#pg-classes-note', empty ? 'No clip is labelled yet: the Label page is where that happens.'
    : `To train on + to measure with (hatched). ${unsure} unsure, ${bad_audio} with bad audio.${none.length ? ` Nothing to train on yet: ${none.join(', ')}.` : ''}`);
  const SHOWN = 12;
  rows($('#pg-speakers'), speakers.slice(0, SHOWN).map(({name, answered, clips}) => ({
    name,
    parts: [{share: answered / clips, fill: 'var(--em-accent)'}],
    count: `${answered} of ${clips}`,
  })));
  const never = speakers.filter((one) => one.answered === 0).length;
  say('#pg-speakers-note', speakers.length === 0 ? (unknown_speakers ? 'No speaker is known: the source has no column called speaker, so nothing can be normalised or drawn by speaker.' : 'No clip has been read yet.')
    : `Clips answered, of ${plural(speakers.length, 'speaker', 'speakers')}, the least heard first${speakers.length > SHOWN ? `; ${speakers.length - SHOWN} more` : ''}.`
      + `${never ? ` ${never} not heard yet.` : ''}${unknown_speakers ? ` ${plural(unknown_speakers, 'clip', 'clips')} without a known speaker.` : ''}`);
}

const sound = new Audio();
function drawMap(map) {
  plots.draw($('#pg-map'), map && map.figure, 'Map of the clips: near each other means alike for the model.', (point) => {
    sound.src = `/media/${encodeURIComponent(point.customdata)}.wav`;
    sound.play().catch((error) => say('#pg-map-note', `The clip did not play: ${error.message}`));
  });
  say('#pg-map-note', map ? `${map.about} A click on a dot plays its clip.`.trim() : 'No map yet: the worker draws one after it has pre-trained encoders on the project\'s own clips.');
}

function aligned(found) {
  const place = $('#pg-alignment');
  if (!found) {
    place.replaceChildren();
    say('#pg-alignment-note', 'Not measured yet: PWCCA between the views is taken before and after pre-training.');
    return;
  }
  const {pairs, about} = found;
  place.className = 'pg-scroll';
  place.replaceChildren(make('table', {},
    make('thead', {}, make('tr', {}, ...['views', 'before', 'after', 'shuffled'].map((text, i) => make('th', {textContent: text, className: i ? 'pg-n' : '', scope: 'col'})))),
    make('tbody', {}, ...pairs.map(({views, before, after, shuffled}) => make('tr', {},
      make('td', {textContent: views}), ...[before, after, shuffled].map((value) => make('td', {className: 'pg-n', textContent: two(value)})))))));
  say('#pg-alignment-note', about);
}

// Rate of the running step, seen from here: an estimate once it has been watched for some seconds.
let watched = null;
function remaining({step, done, total}) {
  const time = Date.now() / 1000;
  // "pre-training, epoch 3: …" is the same step as "pre-training, epoch 2: …".
  const name = (step || '').split(',')[0];
  if (!watched || watched.name !== name || done < watched.done) watched = {name, done, time};
  const [moved, seconds] = [done - watched.done, time - watched.time];
  if (moved <= 0 || seconds < 4 || total <= done) return '';
  const left = (total - done) * seconds / moved;
  return left < 60 ? `; about ${Math.max(1, Math.round(left))} s left` : `; about ${plural(Math.round(left / 60), 'minute', 'minutes')} left`;
}

function working(worker, model) {
  const {state, step, done, total, error, notices} = worker;
  const now = state === 'working' ? `${step || 'working'}${total ? ` (${done} of ${total}${remaining(worker)})` : ''}`
    : state === 'absent' ? 'Not running: nothing is read or learned. Start `earmark label` again, or `earmark worker` beside it.'
    : state === 'failed' ? 'The last step failed; the worker tries again when labels, clips or settings change.'
    : model && model.behind ? 'Idle; it starts with the next label that models can use.' : 'Idle: everything that can be done is done.';
  const line = now.charAt(0).toUpperCase() + now.slice(1);
  say('#pg-worker-now', line);
  const bar = $('#pg-worker-bar');
  bar.hidden = !(state === 'working' && total);
  if (total) {
    const share = Math.round(100 * done / total);
    bar.setAttribute('aria-valuenow', share);
    bar.firstChild.style.width = `${share}%`;
  }
  const box = $('#pg-worker-error');
  box.hidden = !error;
  box.textContent = error || '';
  const lead = $('.pg-lead');
  lead.classList.toggle('pg-bad', state === 'absent' || state === 'failed');
  const knows = model ? `The model of round ${model.round} knows ${plural(model.labels, 'label', 'labels')}` : 'There is no model yet';
  say('.pg-lead', state === 'absent' ? `${knows}. The worker is not running.` : state === 'failed' ? `${knows}. The worker failed: ${error}` : `${knows}. Worker: ${line.charAt(0).toLowerCase()}${line.slice(1)}`);
  part('notices', notices, (texts) => {
    for (const old of root.querySelectorAll('#pg-worker-error ~ .pg-warn')) old.remove();
    $('#pg-worker-error').after(...texts.map((text) => make('p', {className: 'pg-warn', textContent: text})));
  });
}

function used(model) {
  if (!model) {
    say('#pg-model', 'Nothing yet: the first model comes a moment after labels of two classes are saved and features are there.');
    return;
  }
  say('#pg-model', `Round ${model.round} of ${clock(model.at)}, ${plural(model.labels, 'label', 'labels')}, views ${model.views.join(', ')}. ${model.because}`);
}

function encoders({pretraining, slow_round: slow, off, now}) {
  plots.draw($('#pg-pretraining'), pretraining && pretraining.figure, pretraining ? pretraining.about : '');
  say('#pg-pretraining-note', pretraining ? pretraining.about
    : off ? 'Pre-training is off in this project.'
    : now ? 'The worker pre-trains them now, on the project\'s own clips and without labels.'
    : 'Not pre-trained yet: the worker starts when all clips have their features, and there are enough of them.');
  say('#pg-slow-note', slow ? slow.about
    : pretraining ? 'Fine-tuning is tried when there are about three labels a class; it is used only where cross-validation says that it helps.' : '');
}

function when(iso) {
  const date = new Date(iso);
  return date.toDateString() === new Date().toDateString() ? clock(iso) : `${date.toLocaleDateString()} ${clock(iso)}`;
}

function tabled({rounds, total}) {
  const place = $('#pg-rounds');
  if (!rounds.length) {
    place.replaceChildren(make('p', {className: 'pg-note', textContent: 'No round yet.'}));
    return;
  }
  const cell = (of, textContent, className = '') => make('td', {textContent, className, data: {of}});
  const table = (some) => make('div', {className: 'pg-scroll'}, make('table', {className: 'pg-rounds-table'},
    make('thead', {}, make('tr', {}, ...[['when'], ['round', 1], ['labels', 1], ['UAR', 1], ['seconds', 1], ['kind'], ['what was chosen, and why']]
      .map(([textContent, right]) => make('th', {textContent, scope: 'col', className: right ? 'pg-n' : ''})))),
    make('tbody', {}, ...some.map((one) => make('tr', {},
      cell('when', when(one.at), 'pg-nowrap'), cell('round', one.round, 'pg-n'), cell('labels', one.labels, 'pg-n'),
      cell('UAR', two(one.uar), 'pg-n'), cell('seconds', one.seconds.toFixed(1), 'pg-n'), cell('kind', one.kind),
      cell('', one.because, 'pg-why'))))));
  const open = $('#pg-rounds details')?.open || false;
  place.replaceChildren(table(rounds.slice(0, AT_ONCE)));
  if (rounds.length > AT_ONCE) {
    place.append(make('details', {open}, make('summary', {textContent: 'Earlier rounds'}), table(rounds.slice(AT_ONCE)),
      total > rounds.length ? make('p', {className: 'pg-note', textContent: `The newest ${rounds.length} of ${total}; the CSV of the curve has them all.`}) : null));
  }
}

function read({sources, scanning, usable, set_aside, evaluation, seconds, by_kind, files}) {
  const words = {not_finite: 'not a number', too_short: 'too short', too_long: 'too long'};
  const found = usable + set_aside;
  const lines = [];
  for (const {location, kind, scanned_at} of sources) {
    lines.push(make('p', {}, make('code', {textContent: location}), ` (${kind}), ${scanned_at ? `read ${when(scanned_at)}` : 'is being read'}`));
  }
  if (!sources.length) lines.push(make('p', {className: 'pg-note', textContent: 'No source yet: earmark label SOURCE names one.'}));
  lines.push(make('p', {textContent: `${scanning ? 'So far: ' : ''}${plural(found, 'clip', 'clips')} found, ${usable} accepted (${minutes(seconds / 60)} of sound, ${evaluation} drawn for evaluation), ${set_aside} set aside.`}));
  if (set_aside) {
    lines.push(make('p', {textContent: `Set aside: ${Object.entries(by_kind).map(([kind, n]) => `${n} ${words[kind] || kind}`).join(', ')}.`}));
    const open = $('#pg-ingest details')?.open || false;
    lines.push(make('details', {open}, make('summary', {textContent: `Each file, with its reason`}),
      make('div', {className: 'pg-scroll'}, make('table', {},
        make('thead', {}, make('tr', {}, make('th', {textContent: 'file', scope: 'col'}), make('th', {textContent: 'why', scope: 'col'}))),
        make('tbody', {}, ...files.map(({path, reason}) => make('tr', {}, make('td', {textContent: path}), make('td', {textContent: reason})))))),
      files.length < set_aside ? make('p', {className: 'pg-note', textContent: `The first ${files.length} of ${set_aside}.`}) : null));
  }
  $('#pg-ingest').replaceChildren(...lines);
}

let last = null;
function show(found) {
  last = found;
  const {now, curve_empty, figures: drawn} = found;
  part('figures', [now, curve_empty, found.spent, found.gain], () => figures(found));
  part('curve', [drawn.labels, drawn.minutes, curve_empty], () => drawCurve(found));
  part('judged', [now, curve_empty, drawn.recall, drawn.confusion], () => judged(found));
  part('coverage', found.coverage, covered);
  part('map', found.map, drawMap);
  part('alignment', found.alignment, aligned);
  part('model', found.model, used);
  part('encoders', {pretraining: found.pretraining, slow_round: found.slow_round, off: found.pretraining_off, now: (found.worker.step || '').startsWith('pre-training')}, encoders);
  part('context', found.context, (context) => say('#pg-context-note', context ? context.about : ''));
  part('signs', found.failure_signs, (texts) => $('#pg-signs').replaceChildren(
    ...texts.map((textContent) => make('p', {className: 'pg-warn', textContent}))));
  part('rounds', {rounds: found.rounds, total: found.rounds_total}, tabled);
  part('ingest', found.ingest, read);
  working(found.worker, found.model);
  root.setAttribute('aria-busy', 'false');
}

let etag = '', timer = null;
async function ask() {
  clearTimeout(timer);
  if (!root.isConnected) return;
  if (document.hidden) return;  // asked again when the tab is looked at
  try {
    const response = await fetch('/api/progress', {headers: etag ? {'If-None-Match': etag} : {}, cache: 'no-store', signal: AbortSignal.timeout(20000)});
    if (response.status === 200) {
      etag = response.headers.get('etag') || '';
      show(await response.json());
    } else if (response.status === 304) {
      working(last.worker, last.model);  // the estimate goes on
    } else {
      const {reason} = await response.json();
      $('.pg-lead').classList.add('pg-bad');
      say('.pg-lead', `The server could not tell: ${reason}`);
    }
  } catch {
    $('.pg-lead').classList.add('pg-bad');
    say('.pg-lead', 'The server does not answer; what stands here is as it was. Trying again.');
  }
  timer = setTimeout(ask, EVERY);
}

const ALONG = 'earmark:progress-along';
try { const kept = localStorage.getItem(ALONG); if (kept) $(`.pg-switch input[value="${kept}"]`).checked = true; } catch { /* no storage: labels */ }
$('.pg-switch').addEventListener('change', (event) => {
  try { localStorage.setItem(ALONG, event.target.value); } catch { /* not kept */ }
  if (last) drawCurve(last);
});
document.addEventListener('visibilitychange', () => { if (!document.hidden) ask(); });
ask();
