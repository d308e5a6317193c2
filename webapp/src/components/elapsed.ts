/** Clocks that are drawn: seconds since a moment, seconds until one. */

import { useSyncExternalStore } from 'react';

/** Often enough that no second is seen late; only a change is drawn. */
const LOOK_MS = 250;

function tick(look: () => void): () => void {
  const timer = setInterval(look, LOOK_MS);
  return () => clearInterval(timer);
}

const never = (): (() => void) => () => undefined;

/** Whole seconds since `at`, in milliseconds since 1970. */
export function useSecondsSince(at: number): number {
  return useSyncExternalStore(tick, () => Math.max(0, Math.floor((Date.now() - at) / 1000)));
}

/** Whole seconds until `at`; 0 when it is over or null. */
export function useSecondsUntil(at: number | null): number {
  return useSyncExternalStore(at === null ? never : tick, () =>
    at === null ? 0 : Math.max(0, Math.ceil((at - Date.now()) / 1000)),
  );
}
