/** What this key has used, and what it has left. */

import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import { type Failure, failureOf } from '../api/failure';
import { getUsage } from '../api/resources';
import type { Usage } from '../api/types';

interface UsageState {
  readonly state: 'idle' | 'loading' | 'ready' | 'failed';
  readonly usage: Usage | null;
  readonly failure: Failure | null;
}

export const usage = createStore<UsageState>(() => ({ state: 'idle', usage: null, failure: null }));

export function useUsage(): UsageState {
  return useStore(usage);
}

export async function loadUsage(): Promise<void> {
  usage.setState({ state: 'loading' });
  try {
    usage.setState({ state: 'ready', usage: await getUsage(), failure: null });
  } catch (error) {
    usage.setState({ state: 'failed', failure: failureOf(error) });
  }
}
