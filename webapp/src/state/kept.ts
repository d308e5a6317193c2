/** What this browser keeps between visits, as JSON under one name each; one that keeps nothing is no error. */

import { parseJson } from '../api/json';

export function readKept(name: string): unknown {
  try {
    return parseJson(localStorage.getItem(name) ?? 'null');
  } catch {
    return null;
  }
}

/** Be told when another tab has kept something under this name; the result ends it. */
export function whenKeptElsewhere(name: string, listener: () => void): () => void {
  const heard = (event: StorageEvent): void => {
    if (event.key === name) listener();
  };
  addEventListener('storage', heard);
  return () => removeEventListener('storage', heard);
}

/** Whether it was kept: the browser's room may be full. */
export function keep(name: string, value: unknown): boolean {
  try {
    localStorage.setItem(name, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}
