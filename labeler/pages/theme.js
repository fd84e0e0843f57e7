// Runs in the page's head, before the first paint: the theme that this person chose, else the system's.
(() => {
  const KEY = 'earmark:theme';
  const system = window.matchMedia('(prefers-color-scheme: dark)');
  const chosen = () => {
    try { return localStorage.getItem(KEY); } catch { return null; }
  };
  const now = () => chosen() || (system.matches ? 'dark' : 'light');
  const apply = () => {
    const theme = now();
    document.documentElement.dataset.theme = theme;
    // Gradio's own components look at this class, and Gradio sets it from the system's theme when it starts.
    if (document.body && document.body.classList.contains('dark') !== (theme === 'dark')) {
      document.body.classList.toggle('dark', theme === 'dark');
    }
    window.dispatchEvent(new CustomEvent('earmark:theme', {detail: theme}));
  };
  const toggle = () => {
    const theme = now() === 'dark' ? 'light' : 'dark';
    try { localStorage.setItem(KEY, theme); } catch { /* a browser without storage keeps the system's theme */ }
    apply();
  };
  apply();
  system.addEventListener('change', apply);
  window.addEventListener('storage', (event) => { if (event.key === KEY) apply(); });
  document.addEventListener('DOMContentLoaded', () => {
    apply();
    new MutationObserver(() => {
      if (document.body.classList.contains('dark') !== (now() === 'dark')) apply();
    }).observe(document.body, {attributes: true, attributeFilter: ['class']});
  });
  window.earmark = Object.assign(window.earmark || {}, {theme: {now, toggle}});
})();
