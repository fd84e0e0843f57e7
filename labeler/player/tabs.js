// Two tabs of the same person: each says which clips it holds, so that no clip stands in both.
function makeTabs(uid, {answered, joined}) {
  const me = crypto.randomUUID();
  const others = new Map();                            // tab -> Set of clips
  let mine = [];
  const channel = 'BroadcastChannel' in window ? new BroadcastChannel(`earmark:${uid}`) : null;
  const say = (kind, more) => channel && channel.postMessage({from: me, kind, ...more});
  if (channel) {
    channel.onmessage = ({data}) => {
      if (data.kind === 'hello') say('holds', {clips: mine});
      if (data.kind === 'holds') { others.set(data.from, new Set(data.clips)); joined(); }
      if (data.kind === 'bye') others.delete(data.from);
      if (data.kind === 'answered') answered(data.clip);
    };
    window.addEventListener('pagehide', () => say('bye'));
  }
  return {
    hold(clips) {
      if (clips.join() === mine.join()) return;
      mine = clips;
      say('holds', {clips});
    },
    answer: (clip) => say('answered', {clip}),
    elsewhere: (clip) => [...others.values()].some((held) => held.has(clip)),
    count: () => [...others.values()].reduce((sum, held) => sum + held.size, 0),
    // Asks who is there and forgets tabs that are gone without a word; the answers are here a moment later.
    async ask(wait = 40) {
      if (!channel) return;
      others.clear();
      say('hello');
      await new Promise((done) => setTimeout(done, wait));
    },
  };
}
