/** Whether the server lets this browser in. */

import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import { type Failure, failureOf } from '../api/failure';
import { storeKey, storedKey } from '../api/key';
import { listModels } from '../api/resources';
import { coreStrings } from '../core_strings';
import { tellTabs } from './tabs';

interface Access {
  readonly state: 'unknown' | 'open' | 'needs_key';
  readonly hasKey: boolean;
  readonly failure: Failure | null;
}

export const access = createStore<Access>(() => ({ state: 'unknown', hasKey: storedKey() !== null, failure: null }));
const openListeners = new Set<() => void>();

export function useAccess(): Access {
  return useStore(access);
}

/** Be told whenever the way in has opened. */
export function onOpened(listener: () => void): void {
  openListeners.add(listener);
}

/** Ask the server whether it lets us in; one that is not reached changes nothing. */
export async function checkAccess(): Promise<void> {
  try {
    await listModels();
    open();
  } catch (error) {
    const failure = failureOf(error);
    if (failure.status === 401) refused(failure);
    else access.setState({ failure });
  }
}

/** A request came back: no key, or a wrong one. */
export function refused(failure: Failure): void {
  access.setState({ state: 'needs_key', hasKey: storedKey() !== null, failure: storedKey() === null ? null : failure });
}

/** Whether the key opens; it is kept only then. */
export async function signIn(key: string): Promise<boolean> {
  const before = storedKey();
  storeKey(key.trim());
  try {
    await listModels();
  } catch (error) {
    const failure = failureOf(error);
    storeKey(before);
    const said = failure.status === 401 ? { ...failure, message: coreStrings.wrongKey } : failure;
    access.setState({ hasKey: before !== null, failure: said });
    return false;
  }
  tellTabs({ kind: 'key' });
  open();
  return true;
}

export function signOut(): void {
  storeKey(null);
  tellTabs({ kind: 'key' });
  location.assign('/');
}

function open(): void {
  const wasOpen = access.getState().state === 'open';
  access.setState({ state: 'open', hasKey: storedKey() !== null, failure: null });
  if (!wasOpen) for (const listener of openListeners) listener();
}
