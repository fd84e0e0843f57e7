// The sound of the clip on the screen: playing, seeking, speed, and how much of it was heard.
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
