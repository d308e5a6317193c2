/** The numbers that a conversation may ask of its model: one table, shown and checked from. */

import type { SessionSettings } from '../state/settings_types';

type NumberKey = {
  [Key in keyof SessionSettings]: SessionSettings[Key] extends number | null ? Key : never;
}[keyof SessionSettings];

export interface NumberSetting {
  readonly key: NumberKey;
  readonly label: string;
  readonly hint: string;
  readonly min: number;
  readonly max: number;
  readonly step: number | 'any';
  /** What the model's entry must list, if not every model can do it. */
  readonly capability?: string;
}

export const numberSettings: readonly NumberSetting[] = [
  { key: 'temperature', label: 'Temperature', hint: '0 always takes the likeliest token', min: 0, max: 2, step: 0.1 },
  { key: 'topP', label: 'Top-p', hint: 'only the likeliest tokens that make up this share', min: 0, max: 1, step: 0.05 },
  { key: 'topK', label: 'Top-k', hint: 'only this many of the likeliest tokens; 0 for all', min: 0, max: 100_000, step: 1, capability: 'top_k' },
  { key: 'minP', label: 'Min-p', hint: 'only tokens with at least this share of the likeliest one’s probability', min: 0, max: 1, step: 0.01, capability: 'min_p' },
  { key: 'maxTokens', label: 'Longest answer', hint: 'in tokens', min: 1, max: 1_000_000, step: 1 },
  { key: 'repeatPenalty', label: 'Repeat penalty', hint: '1 is none', min: 0.01, max: 10, step: 0.05, capability: 'repetition_penalty' },
  { key: 'seed', label: 'Seed', hint: 'asked the same with the same seed, the answer is the same', min: 0, max: Number.MAX_SAFE_INTEGER, step: 1, capability: 'seed' },
];

/** The number that was typed; null for none (the server's default), undefined for what is not allowed. */
export function readNumber(setting: NumberSetting, text: string): number | null | undefined {
  if (text.trim() === '') return null;
  const value = Number(text);
  const isWhole = setting.step !== 1 || Number.isInteger(value);
  return Number.isFinite(value) && isWhole && value >= setting.min && value <= setting.max ? value : undefined;
}

/** A stop sequence as it can be typed in one line, and back. */
export function writtenStop(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\t', '\\t').replaceAll('\r', '\\r');
}

const ESCAPED: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '\\': '\\' };

export function readStop(written: string): string {
  return written.replaceAll(/\\([ntr\\])/g, (whole, letter: string) => ESCAPED[letter] ?? whole);
}
