// The next clips, with sound and picture already decoded, so that a key press only has to show one. A clip's memory is
// given back two clips after its answer; the elements are used again, as browsers are slow to let go of them.
function makeClips({uid, outbox, tabs, filled, sizeOfCache = 2}) {
  const AHEAD = 4, MOST = 8, QUEUE_LIMIT = 40;
  const ready = [];                                    // the next clips, loaded
  const past = [];                                     // the last answered ones, for a quick undo
  const idle = {audio: [], image: []};                 // elements without a clip
  const answeredAt = new Map();                        // clip -> when the server had its answer (Infinity: not yet)
  let current = null, filling = null, again = false, retry = 0, model = null;

  // A queue document that was asked for before an answer was stored still holds that clip.
  outbox.watch(({pending}) => {
    const waiting = new Set(pending.map((body) => body.clip));
    for (const clip of waiting) answeredAt.set(clip, Infinity);
    for (const [clip, at] of answeredAt) {
      if (at === Infinity && !waiting.has(clip)) answeredAt.set(clip, performance.now());
      else if (performance.now() - at > 60000) answeredAt.delete(clip);
    }
  });

  async function bytes(url) {
    const response = await fetch(url, {signal: AbortSignal.timeout(20000)});
    if (response.ok) return response.blob();
    const reply = await response.json().catch(() => ({}));
    const reason = reply.reason || `the server answered ${response.status}`;
    // 404 and 410 will not get better by asking again; the clip is shown with the reason instead of its sound.
    throw Object.assign(new Error(reason), {lasting: response.status === 404 || response.status === 410});
  }

  function sounding(blob) {
    return new Promise((done, failed) => {
      const audio = idle.audio.pop() || document.createElement('audio');
      audio.preload = 'auto';
      audio.oncanplaythrough = () => { audio.oncanplaythrough = audio.onerror = null; done(audio); };
      audio.onerror = () => {
        audio.oncanplaythrough = audio.onerror = null;
        failed(Object.assign(new Error('this browser cannot play it'), {lasting: true}));
      };
      audio.src = URL.createObjectURL(blob);
      audio.load();
    });
  }

  async function pictured(blob) {
    const image = idle.image.pop() || new Image();
    image.alt = '';
    image.draggable = false;
    image.src = URL.createObjectURL(blob);
    await image.decode();
    return image;
  }

  async function load(item) {
    item.loading = true;
    item.failure = null;
    try {
      const [sound, picture] = await Promise.all([
        item.audio ? item.audio : bytes(item.audioUrl).then(sounding),
        item.image ? item.image : bytes(item.pictureUrl).then(pictured),
      ]);
      item.audio = sound;
      item.image = picture;
      item.seconds ||= sound.duration;
    } catch (error) {
      if (!error.lasting) throw error;
      item.failure = error.message;
    } finally {
      item.loading = false;
    }
    return item;
  }

  function release(item) {
    if (item.audio) {
      URL.revokeObjectURL(item.audio.src);
      item.audio.pause();
      item.audio.removeAttribute('src');
      item.audio.load();
      idle.audio.push(item.audio);
    }
    if (item.image) {
      URL.revokeObjectURL(item.image.src);
      item.image.removeAttribute('src');
      idle.image.push(item.image);
    }
    item.audio = item.image = null;
  }

  const fresh = (found) => ({
    clip: found.clip, audioUrl: found.audio, pictureUrl: found.picture, seconds: found.seconds, reason: found.reason,
    suggested: found.suggested, suggestionShown: false, audio: null, image: null, former: null,
    firstSound: null, heard: 0, soundingSince: null,
  });
  const holds = () => [...(current ? [current] : []), ...ready].map((item) => item.clip);
  const known = (clip) => current?.clip === clip || ready.some((item) => item.clip === clip);
  const announce = () => tabs.hold(holds());

  async function ask(n, reveal) {
    const query = `/api/queue?n=${Math.min(QUEUE_LIMIT, n)}${reveal ? '&reveal=1' : ''}`;
    const response = await fetch(query, {headers: {'X-Earmark-Project': uid}, signal: AbortSignal.timeout(10000)});
    const reply = await response.json().catch(() => ({}));
    if (!response.ok) throw new Error(reply.reason || `the server answered ${response.status}`);
    model = reply.model;
    return reply.clips;
  }

  const wanted = () => AHEAD + 1 + [...answeredAt.values()].filter((at) => at === Infinity).length;

  async function fillOnce() {
    const asked = performance.now();
    const offered = await ask(Math.max(wanted(), holds().length) + tabs.count(), false);
    const free = offered.filter(({clip}) => !known(clip) && !((answeredAt.get(clip) ?? -1) > asked));
    const ours = free.filter(({clip}) => !tabs.elsewhere(clip));
    // All at once, shown in the queue's order.
    const coming = ours.slice(0, Math.max(0, AHEAD - ready.length)).map((found) => load(fresh(found)));
    try {
      while (coming.length) {
        const item = await coming[0];
        coming.shift();
        // Loading took a while: by now an undo may have brought it here, or another tab taken or answered it.
        if (known(item.clip) || tabs.elsewhere(item.clip) || answeredAt.get(item.clip) > asked) { release(item); continue; }
        ready.push(item);
        announce();
        filled(null);
      }
    } finally {
      for (const late of coming) late.then(release, () => {});
    }
    return {offered: offered.length, elsewhere: free.length - ours.length};
  }

  // Asking again also renews the leases of the clips held here.
  function fill() {
    if (filling) { again = true; return filling; }
    clearTimeout(retry);
    filling = (async () => {
      try {
        let got;
        do {
          again = false;
          got = await fillOnce();
          if (!ready.length && !current && got.elsewhere) { await tabs.ask(300); got = await fillOnce(); }
        } while (again && ready.length < AHEAD);
        filled({trouble: null, nothing: !current && !ready.length});
      } catch (error) {
        const offline = ['TypeError', 'TimeoutError', 'AbortError'].includes(error.name);
        filled({trouble: offline ? 'The server does not answer; trying again.' : `${error.message}; trying again.`, nothing: false});
        retry = setTimeout(fill, 1500);
      } finally {
        filling = null;
      }
    })();
    return filling;
  }

  return {
    fill,
    get current() { return current; },
    get model() { return model; },
    get waiting() { return ready.length; },
    // Takes the next loaded clip to the front of the screen; what was there is kept for a quick undo.
    next() {
      if (current) {
        past.push(current);
        while (past.length > sizeOfCache) release(past.shift());
      }
      current = ready.shift() || null;
      announce();
      fill();
      return current;
    },
    // Brings an answered clip back; the clip that was on the screen comes after it.
    back(clip, former) {
      if (current?.clip !== clip) {
        if (current) ready.unshift(current);
        const waiting = ready.findIndex((item) => item.clip === clip);
        const kept = past.findIndex((item) => item.clip === clip);
        if (waiting >= 0) current = ready.splice(waiting, 1)[0];
        else if (kept >= 0) current = past.splice(kept, 1)[0];
        else current = fresh({clip, audio: `/media/${clip}.wav`, picture: `/media/${clip}.png`, seconds: 0, reason: '', suggested: null});
      }
      Object.assign(current, {former, reason: '', suggested: null, suggestionShown: false, firstSound: null, heard: 0, soundingSince: null});
      while (ready.length > MOST) release(ready.pop());    // still claimed: the queue brings them again
      announce();
      return current;
    },
    drop(clip) {
      const place = ready.findIndex((item) => item.clip === clip);
      if (place >= 0) { release(ready.splice(place, 1)[0]); announce(); fill(); }
    },
    load,
    async suggestion(clip) {
      const found = (await ask(Math.max(wanted() + tabs.count(), holds().length), true)).find((entry) => entry.clip === clip);
      return found ? found.suggested : null;
    },
  };
}
