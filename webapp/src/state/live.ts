/** The growing answers, for views. */

import { useCallback, useSyncExternalStore } from 'react';
import type { LiveAnswer } from '../stream/growing';
import { asking } from './core';

const live = asking.answers;

/** The answer as far as it has come, by its message's key; null: it does not grow here. */
export function useLive(key: string): LiveAnswer | null {
  const watch = useCallback((watcher: () => void) => live.watch(key, watcher), [key]);
  return useSyncExternalStore(watch, () => live.snapshot(key));
}
