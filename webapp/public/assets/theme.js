// Before the first paint, so that no frame has the wrong colours: the theme that was chosen here.
(() => {
  let theme = 'system';
  try {
    theme = localStorage.getItem('conch.theme') ?? theme;
  } catch {
    // Storage is forbidden: the system's theme it is.
  }
  const isDark = theme === 'dark' || (theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.dataset.theme = isDark ? 'dark' : 'light';
})();
