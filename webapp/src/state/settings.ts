/** What each session asks of its model: kept here and with the session (shared_settings.ts), sent with every question. */

import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import { asObject, numberOrNull, objectAt, textAt, textOrNull } from '../api/json';
import type { ResponseBody } from '../stream/protocol';
import { keep, readKept, whenKeptElsewhere } from './kept';
import type { SessionSettings } from './settings_types';
import { NEW_PLACE, placeOf, usePlace } from './threads';

const NAME = 'conch.settings';
const MOST_SESSIONS = 300;

/** Nothing is asked: the model's own way. */
export const PLAIN_SETTINGS: SessionSettings = {
  model: null,
  systemPrompt: '',
  temperature: null,
  topP: null,
  topK: null,
  minP: null,
  maxTokens: null,
  repeatPenalty: null,
  seed: null,
  stop: [],
};

interface Kept {
  readonly defaults: SessionSettings;
  readonly bySession: Readonly<Record<string, SessionSettings>>;
}

export const settings = createStore<Kept>(readSettings);
const changeListeners = new Set<(place: string) => void>();

/** Take what another tab has kept: what is kept here next would undo it. The result ends it. */
export function followSettings(): () => void {
  return whenKeptElsewhere(NAME, () => settings.setState(readSettings()));
}

/** Be told when somebody here has changed them; the result ends it. */
export function whenSettingsChange(listener: (place: string) => void): () => void {
  changeListeners.add(listener);
  return () => {
    changeListeners.delete(listener);
  };
}

/** What was chosen for a session; null: nothing, it goes by the defaults. */
export function ownSettings(sessionId: string): SessionSettings | null {
  return settings.getState().bySession[sessionId] ?? null;
}

export function settingsOf(threadId: string): SessionSettings {
  const { bySession, defaults } = settings.getState();
  return bySession[placeOf(threadId)] ?? defaults;
}

export function useSettings(threadId: string): SessionSettings {
  const place = usePlace(threadId);
  return useStore(settings, (state) => state.bySession[place] ?? state.defaults);
}

export function changeSettings(threadId: string, changes: Partial<SessionSettings>): void {
  change(placeOf(threadId), { ...settingsOf(threadId), ...changes });
}

/** Back to the defaults. */
export function resetSettings(threadId: string): void {
  change(placeOf(threadId), settings.getState().defaults);
}

export function defaultSettings(): SessionSettings {
  return settings.getState().defaults;
}

/** What new chats begin with. */
export function setDefaultSettings(defaults: SessionSettings): void {
  settings.setState({ defaults });
  keep(NAME, settings.getState());
}

/** What had no session has one now; the next new chat begins with the same model. */
export function moveSettings(sessionId: string): void {
  const { bySession, defaults } = settings.getState();
  const { [NEW_PLACE]: chosen, ...others } = bySession;
  if (chosen === undefined) return;
  const next = { ...others, [sessionId]: chosen };
  settings.setState({ bySession: next, defaults: { ...defaults, model: chosen.model } });
  keep(NAME, settings.getState());
  for (const listener of changeListeners) listener(sessionId);
}

/** The fields of a request for a response that say the same. */
export function wireSettings(asked: SessionSettings): ResponseBody {
  const fields: Record<string, unknown> = {
    instructions: asked.systemPrompt.trim() === '' ? null : asked.systemPrompt,
    temperature: asked.temperature,
    top_p: asked.topP,
    top_k: asked.topK,
    min_p: asked.minP,
    max_output_tokens: asked.maxTokens,
    repetition_penalty: asked.repeatPenalty,
    seed: asked.seed,
    stop: asked.stop.length === 0 ? null : asked.stop,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}

function change(place: string, asked: SessionSettings): void {
  putSettings(place, asked);
  for (const listener of changeListeners) listener(place);
}

/** Keep these here, wherever they come from. */
export function putSettings(place: string, asked: SessionSettings): void {
  const { [place]: _, ...others } = settings.getState().bySession;
  const entries = Object.entries({ ...others, [place]: asked });
  settings.setState({ bySession: Object.fromEntries(entries.slice(-MOST_SESSIONS)) });
  keep(NAME, settings.getState());
}

function readSettings(): Kept {
  const kept = asObject(readKept(NAME));
  const bySession = Object.entries(objectAt(kept, 'bySession')).map(([id, value]) => [id, settingsIn(value)] as const);
  return { defaults: settingsIn(kept['defaults']), bySession: Object.fromEntries(bySession) };
}

/** Settings that were kept as JSON; what is missing is not asked for. */
export function settingsIn(value: unknown): SessionSettings {
  const from = asObject(value);
  const stop = from['stop'];
  return {
    model: textOrNull(from, 'model'),
    systemPrompt: textAt(from, 'systemPrompt'),
    temperature: numberOrNull(from, 'temperature'),
    topP: numberOrNull(from, 'topP'),
    topK: numberOrNull(from, 'topK'),
    minP: numberOrNull(from, 'minP'),
    maxTokens: numberOrNull(from, 'maxTokens'),
    repeatPenalty: numberOrNull(from, 'repeatPenalty'),
    seed: numberOrNull(from, 'seed'),
    stop: Array.isArray(stop) ? stop.filter((each) => typeof each === 'string') : [],
  };
}
