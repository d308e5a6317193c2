/** Reads JSON of the server field by field: what is missing or of another type becomes the empty value. */

export type JsonObject = Readonly<Record<string, unknown>>;

const EMPTY: JsonObject = {};

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

export function asObject(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : EMPTY;
}

export function objectAt(from: JsonObject, name: string): JsonObject {
  return asObject(from[name]);
}

export function objectsAt(from: JsonObject, name: string): readonly JsonObject[] {
  const value = from[name];
  return Array.isArray(value) ? value.map(asObject) : [];
}

/** The fields of an object that are text. */
export function textsAt(from: JsonObject, name: string): Readonly<Record<string, string>> {
  const entries = Object.entries(objectAt(from, name));
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}

export function textAt(from: JsonObject, name: string): string {
  return textOrNull(from, name) ?? '';
}

export function textOrNull(from: JsonObject, name: string): string | null {
  const value = from[name];
  return typeof value === 'string' ? value : null;
}

export function numberAt(from: JsonObject, name: string): number {
  return numberOrNull(from, name) ?? 0;
}

export function numberOrNull(from: JsonObject, name: string): number | null {
  const value = from[name];
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

export function flagAt(from: JsonObject, name: string): boolean {
  return from[name] === true;
}

/** The value if it is one of these, else the first of them. */
export function oneOf<const T extends string>(value: unknown, first: T, ...others: readonly T[]): T {
  return others.find((each) => each === value) ?? first;
}
