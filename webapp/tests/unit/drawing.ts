/** Draws elements into a page of its own and hands it out; every test page goes when the test ends. */

import { act, type ReactNode } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { afterEach } from 'vitest';

declare global {
  // React asks for this in tests.
  var IS_REACT_ACT_ENVIRONMENT: boolean;
}
globalThis.IS_REACT_ACT_ENVIRONMENT = true;

const roots: Root[] = [];

afterEach(async () => {
  await act(async () => roots.splice(0).forEach((root) => root.unmount()));
});

export interface Drawn {
  readonly page: HTMLElement;
  readonly draw: (elements: ReactNode) => Promise<void>;
}

export async function drawn(elements: ReactNode): Promise<Drawn> {
  const page = document.createElement('div');
  document.body.append(page);
  const root = createRoot(page);
  roots.push(root);
  const draw = async (next: ReactNode): Promise<void> => act(async () => root.render(next));
  await draw(elements);
  return { page, draw };
}
