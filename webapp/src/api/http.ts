/** The way to the server: adds the key, gives up in time, turns every failure into an `ApiError`. */

import { ApiError, type Failure } from './failure';
import { asObject, objectAt, parseJson, textOrNull } from './json';
import { storedKey } from './key';

const TIMEOUT_MS = 20_000;
/** For what may be long, and come slowly. */
export const LONG_TIMEOUT_MS = 120_000;
const NOT_REACHED: Failure = {
  status: 0,
  code: 'not_reached',
  message: 'The server cannot be reached.',
  param: null,
  retryAfterS: null,
};

export interface Asked {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  /** The page may be left meanwhile. */
  readonly keepalive?: boolean;
  readonly timeoutMs?: number;
}

let onRefusedKey: (failure: Failure) => void = () => undefined;

/** Tell this one whenever the server wants a key, or another one. */
export function whenKeyIsRefused(listener: (failure: Failure) => void): void {
  onRefusedKey = listener;
}

/** The answer, whose status is good; throws `ApiError`. */
export async function ask(path: string, asked: Asked = {}): Promise<Response> {
  const response = await fetched(path, asked);
  if (response.ok) return response;
  const failure = await failureIn(response);
  if (failure.status === 401) onRefusedKey(failure);
  throw new ApiError(failure);
}

/** The answer's JSON; throws `ApiError`. */
export async function askJson(path: string, asked: Asked = {}): Promise<unknown> {
  const json = parseJson(await (await askBlob(path, asked)).text());
  if (json === null) throw new ApiError({ ...NOT_REACHED, message: 'The server sent something that is not JSON.' });
  return json;
}

/** All of the answer; throws `ApiError`, also when it breaks off. */
export async function askBlob(path: string, asked: Asked = {}): Promise<Blob> {
  const response = await ask(path, asked);
  try {
    return await response.blob();
  } catch {
    throw new ApiError({ ...NOT_REACHED, message: 'The answer of the server broke off.' });
  }
}

/** The failure inside an error object of the server; `status` is used unless it says otherwise. */
export function failureOfBody(body: unknown, status: number, retryAfterS: number | null): Failure {
  const error = objectAt(asObject(body), 'error');
  return {
    status,
    code: textOrNull(error, 'code'),
    message: textOrNull(error, 'message') ?? `The server answered with status ${status}.`,
    param: textOrNull(error, 'param'),
    retryAfterS,
  };
}

async function fetched(path: string, asked: Asked): Promise<Response> {
  const timeout = AbortSignal.timeout(asked.timeoutMs ?? TIMEOUT_MS);
  const signal = asked.signal === undefined ? timeout : AbortSignal.any([asked.signal, timeout]);
  const init: RequestInit = { method: asked.method ?? 'GET', headers: headers(asked), signal };
  if (asked.body !== undefined) init.body = asked.body instanceof Blob ? asked.body : JSON.stringify(asked.body);
  if (asked.keepalive === true) init.keepalive = true;
  try {
    return await fetch(path, init);
  } catch {
    throw new ApiError(NOT_REACHED);
  }
}

function headers(asked: Asked): Record<string, string> {
  const key = storedKey();
  return {
    ...(asked.body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(key === null ? {} : { authorization: `Bearer ${key}` }),
  };
}

async function failureIn(response: Response): Promise<Failure> {
  const wait = Number(response.headers.get('retry-after') ?? Number.NaN);
  const body = parseJson(await response.text().catch(() => ''));
  return failureOfBody(body, response.status, Number.isFinite(wait) ? wait : null);
}
