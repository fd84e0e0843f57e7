// Plotly figures in the theme's colours: drawn only when their numbers or the theme change, and updated in place.
function makePlots() {
  const drawn = new Map();
  let library = null;

  // The script is 5 MB: it is fetched when there is something to draw, from our own server.
  function load() {
    library ??= new Promise((resolve, reject) => {
      if (window.Plotly) { resolve(window.Plotly); return; }
      const script = document.createElement('script');
      script.src = '/plotly.min.js';
      script.onload = () => resolve(window.Plotly);
      script.onerror = () => { library = null; reject(new Error('the figure library did not load')); };
      document.head.append(script);
    });
    return library;
  }

  function colour(token, style) {
    const [name, opacity] = token.split('/');
    const value = style.getPropertyValue(name).trim();
    if (!opacity) return value;
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(value.slice(at, at + 2), 16));
    return `rgba(${r}, ${g}, ${b}, ${opacity})`;
  }

  function themed(value, style) {
    if (typeof value === 'string') return value.startsWith('--em-') ? colour(value, style) : value;
    if (Array.isArray(value)) return value.map((item) => themed(item, style));
    if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, themed(item, style)]));
    return value;
  }

  async function render(div) {
    const entry = drawn.get(div);
    const Plotly = await load();
    if (drawn.get(div) !== entry || !div.isConnected) return;
    const {data, layout} = themed(JSON.parse(entry.text), getComputedStyle(document.documentElement));
    await Plotly.react(div, data, layout, {displayModeBar: false, responsive: true, doubleClick: false, scrollZoom: false});
    if (entry.clicked && !div.dataset.wired) {
      div.dataset.wired = 'yes';
      div.on('plotly_click', (event) => drawn.get(div).clicked(event.points[0]));
    }
  }

  // `words` is what a figure says to those who cannot see it. A null figure takes it away.
  function draw(div, figure, words, clicked) {
    if (!figure) {
      if (drawn.delete(div) && window.Plotly) { window.Plotly.purge(div); div.replaceChildren(); }
      div.removeAttribute('role');
      div.removeAttribute('aria-label');
      return;
    }
    div.setAttribute('role', 'img');
    div.setAttribute('aria-label', words);
    const text = JSON.stringify(figure);
    if (drawn.get(div)?.text === text) return;
    drawn.set(div, {text, clicked});
    render(div).catch((error) => { drawn.delete(div); console.info(`figure not drawn yet: ${error.message}`); });
  }

  window.addEventListener('earmark:theme', () => { for (const div of drawn.keys()) render(div); });
  return {draw};
}
