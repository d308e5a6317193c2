/** Starts the page. */

import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app';
import { startCore } from './state/start';

const root = document.getElementById('root');
if (root !== null) {
  startCore();
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
