/** The models that the server has, and how they are. */

import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import { type Failure, failureOf } from '../api/failure';
import { listModels } from '../api/resources';
import type { Model } from '../api/types';
import { settingsOf, useSettings } from './settings';

interface Models {
  readonly items: readonly Model[];
  readonly state: 'idle' | 'ready' | 'failed';
  readonly failure: Failure | null;
}

// One that loads is looked at more often.
const LOADING_LOOK_MS = 1500;
const LOOK_MS = 20_000;

export const models = createStore<Models>(() => ({ items: [], state: 'idle', failure: null }));
let next: ReturnType<typeof setTimeout> | undefined;

/** Ask for them now, and from then on now and again. */
export async function loadModels(): Promise<void> {
  clearTimeout(next);
  try {
    models.setState({ items: await listModels(), state: 'ready', failure: null });
  } catch (error) {
    models.setState({ state: 'failed', failure: failureOf(error) });
  }
  const isMoving = models.getState().items.some((model) => model.state === 'loading');
  clearTimeout(next);
  next = setTimeout(() => void loadModels(), isMoving ? LOADING_LOOK_MS : LOOK_MS);
}

/** Wait for the first list of them, or for the news that there is none. */
export async function modelsKnown(): Promise<void> {
  if (models.getState().state !== 'idle') return;
  await new Promise<void>((resolve) => {
    const end = models.subscribe((now) => {
      if (now.state === 'idle') return;
      end();
      resolve();
    });
  });
}

/** Whether a model can do something; one that is not known cannot. */
export function canDo(model: string | null, capability: string): boolean {
  return models.getState().items.some((each) => each.id === model && each.capabilities.includes(capability));
}

export function useCanDo(model: string | null, capability: string): boolean {
  return useStore(models, () => canDo(model, capability));
}

export function useModels(): Models {
  return useStore(models);
}

/** The model that answers: the chosen one while it exists, else the first that is ready. */
export function modelFor(threadId: string): string | null {
  return chosen(models.getState().items, settingsOf(threadId).model);
}

export function useModelFor(threadId: string): string | null {
  const { model } = useSettings(threadId);
  return useStore(models, (state) => chosen(state.items, model));
}

function chosen(items: readonly Model[], name: string | null): string | null {
  if (name !== null && (items.length === 0 || items.some((model) => model.id === name))) return name;
  const ready = items.find((model) => model.state === 'ready');
  return (ready ?? items[0])?.id ?? null;
}
