import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

// `npm run dev` shows the sources; everything else is asked of a server that runs here.
const SERVER = process.env['CONCH_URL'] ?? 'http://127.0.0.1:8000';

/** KaTeX's fonts are there in three formats; every browser that runs this page reads the first. */
const onlyWoff2: Plugin = {
  name: 'only-woff2',
  enforce: 'pre',
  transform: (css, id) =>
    /katex.*\.css/.test(id) ? css.replace(/,url\([^)]+\.(?:woff|ttf)\) format\("\w+"\)/g, '') : undefined,
};

export default defineConfig({
  plugins: [onlyWoff2, react(), tailwindcss()],
  build: {
    target: 'es2023',
    // The content policy allows no `data:` but images, and no inline script.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    host: '127.0.0.1',
    proxy: {
      '/v1': { target: SERVER, ws: true },
      '/health': SERVER,
      '/readiness': SERVER,
      '/docs': SERVER,
      '/openapi.json': SERVER,
    },
  },
  // A page is made for the few tests that name it (`@vitest-environment`): each one takes a second.
  test: { environment: 'node', include: ['tests/unit/**/*.test.{ts,tsx}'] },
});
