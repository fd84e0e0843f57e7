// The right column: how far, how fast, what the model knows, and the last answers with a way to take each back.
function makeSide(root, {config, earmark, undo}) {
  const $ = (selector) => root.querySelector(selector);
  const SHOWN = 6, PAUSE = 120000, MEASURED_FROM = 10;
  const WORDS = {unsure: 'unsure', bad_audio: 'bad audio', skip: 'skipped'};
  const word = (entry) => entry.class || WORDS[entry.action] || entry.action;
  const {plural} = earmark;
  let session = {today: 0, budget: 0, recent: []}, status = null, entries = [];

  const counts = (entry) => entry.action !== 'skip';

  // Answers a minute over the last 20 or fewer without a break of two minutes; null while there are too few.
  function pace() {
    const times = entries.filter(counts).slice(0, 20).map((entry) => Date.parse(entry.at));
    const end = times.findIndex((time, i) => i > 0 && times[i - 1] - time > PAUSE);
    const run = end < 0 ? times : times.slice(0, end);
    const minutes = (run[0] - run[run.length - 1]) / 60000;
    return run.length >= 3 && minutes > 0 && Date.now() - run[0] < PAUSE ? (run.length - 1) / minutes : null;
  }

  function today() {
    const stored = new Set(session.recent.map((entry) => entry.request_id));
    const standing = new Set(entries.map((entry) => entry.request_id));
    const added = entries.filter((entry) => counts(entry) && !stored.has(entry.request_id)).length;
    const midnight = new Date().setHours(0, 0, 0, 0);
    const gone = session.recent.filter((entry) => counts(entry) && !standing.has(entry.request_id) && Date.parse(entry.at) >= midnight);
    return Math.max(0, session.today + added - gone.length);
  }

  function spark(curve) {
    if (curve.length < 2) return '';
    const xs = curve.map((point) => point.labels), low = Math.min(...xs), wide = Math.max(...xs) - low || 1;
    const points = curve.map((point) => `${(2 + 76 * (point.labels - low) / wide).toFixed(1)},${(22 - 20 * point.uar).toFixed(1)}`);
    return `<svg viewBox="0 0 80 24" preserveAspectRatio="none" aria-hidden="true"><line x1="0" y1="22" x2="80" y2="22"/><line x1="0" y1="2" x2="80" y2="2"/><polyline points="${points.join(' ')}"/></svg>`;
  }

  const text = (selector, words) => { const node = $(selector); if (node.textContent !== words) node.textContent = words; };

  function facts() {
    const speed = pace();
    const rate = speed === null ? '' : `, ${speed < 10 ? speed.toFixed(1) : Math.round(speed)} a min`;
    text('.ep-today', `${plural(today(), 'answer', 'answers')}${rate}`);
    const line = [`${today()} today${rate}`];
    if (!status) return;
    const {standing} = status.labels, {budget} = session;
    text('.ep-words', budget ? `${standing} of ${budget}` : plural(standing, 'answer', 'answers'));
    $('.ep-bar').hidden = !budget;
    $('.ep-bar').setAttribute('aria-label', `${standing} of ${budget} answers`);
    $('.ep-bar i').style.width = `${Math.min(100, 100 * standing / (budget || 1))}%`;
    const left = budget - standing;
    text('.ep-pace', budget && left <= 0 ? 'The budget is spent; you may go on.'
      : budget && speed ? `At this pace ${Math.max(1, Math.round(left / speed))} min to ${budget}` : '');
    // As on the Progress page: before that, it is mostly chance.
    const missing = MEASURED_FROM - status.labels.evaluation;
    const last = missing > 0 ? null : status.curve[status.curve.length - 1];
    const html = last ? `<b>${last.uar.toFixed(2)}</b> (${last.low.toFixed(2)} to ${last.high.toFixed(2)}) ${spark(status.curve)}`
      : status.clips.evaluation < MEASURED_FROM && status.clips.evaluation > 0
        ? `needs ${MEASURED_FROM} evaluation clips, this project has ${status.clips.evaluation}: add clips`
      : missing > 0 ? `starts when ${MEASURED_FROM} evaluation clips are labelled: ${missing} to go` : 'not known yet';
    if ($('.ep-uar').dataset.shown !== html) { $('.ep-uar').innerHTML = html; $('.ep-uar').dataset.shown = html; }
    const {worker, model} = status;
    const knows = model ? `knows ${plural(model.labels, 'label', 'labels')}` : 'none yet';
    text('.ep-model', worker.state === 'working' ? `${knows}; ${(worker.step || 'working').split(/[,:]/)[0]}` : knows);
    text('.ep-model-trouble', worker.state === 'absent' ? 'The worker is not running: nothing new is learnt.'
      : worker.state === 'failed' ? `The worker failed${worker.error ? `: ${worker.error}` : ''}` : '');
    line.push(budget ? `${standing} of ${budget}` : `${standing} answers`);
    if (last) line.push(`UAR ${last.uar.toFixed(2)}`);
    if (['absent', 'failed'].includes(worker.state)) line.push(`worker ${worker.state === 'absent' ? 'not running' : 'failed'}`);
    else if (!last) line.push(model ? `model ${knows}` : 'no model yet');
    text('.ep-line', line.join(' · '));
  }

  function list() {
    $('.ep-none').hidden = entries.length > 0;
    $('.ep-recent').replaceChildren(...entries.slice(0, SHOWN).map((entry) => {
      const item = document.createElement('li');
      const swatch = document.createElement('i');
      swatch.style.background = config.colours[entry.class] || 'transparent';
      swatch.classList.toggle('ep-hollow', !config.colours[entry.class]);
      const name = document.createElement('span');
      name.textContent = word(entry);
      if (entry.note) name.title = entry.note;
      const time = document.createElement('small');
      time.textContent = entry.decided_ms ? `${(entry.decided_ms / 1000).toFixed(1)} s` : '';
      const button = document.createElement('button');
      button.type = 'button';
      button.innerHTML = '<span aria-hidden="true">↶</span>';
      button.title = `Take back ${word(entry)}`;
      button.setAttribute('aria-label', button.title);
      button.addEventListener('click', () => undo(entry));
      item.append(swatch, name, time, button);
      return item;
    }));
  }

  $('.ep-line').addEventListener('click', () => {
    const open = root.classList.toggle('ep-unfolded');
    $('.ep-line').setAttribute('aria-expanded', String(open));
  });

  return {
    word,
    answers(found) { entries = found; list(); facts(); },
    session(found) { session = found; facts(); },
    status(found) { status = found; facts(); },
  };
}
