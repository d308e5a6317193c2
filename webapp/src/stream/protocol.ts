/**
 * The messages of WS /v1/responses, in and out (docs/api.md, "Responses over a WebSocket").
 *
 * How it works: every event of a response has the next `sequence_number`, from 0, and the
 * `stream_id` that its `response.create` or `response.resume` gave. A heartbeat and an error about
 * a message have no number.
 */

import type { Failure } from '../api/failure';
import { failureOfBody } from '../api/http';
import { type JsonObject, asObject, numberAt, numberOrNull, objectAt, parseJson, textAt, textOrNull } from '../api/json';
import { type Answer, answerOf, partsOf } from '../api/parse';
import type { Part } from '../tree/message';

/** What a response is asked for: the fields of `POST /v1/responses`. */
export type ResponseBody = Readonly<Record<string, unknown>>;

export type ClientMessage =
  | (ResponseBody & { readonly type: 'response.create'; readonly stream_id: string; readonly count_tokens: true })
  | {
      readonly type: 'response.resume';
      readonly stream_id: string;
      readonly count_tokens: true;
      readonly response_id: string;
      readonly starting_after?: number;
    }
  | { readonly type: 'response.cancel'; readonly response_id: string };

/** `number`: the event's place among those of its response. */
export type StreamEvent = { readonly streamId: string; readonly number: number } & (
  | { readonly kind: 'opened'; readonly isQueued: boolean; readonly answer: Answer }
  | { readonly kind: 'started' }
  | { readonly kind: 'item'; readonly index: number; readonly part: Part | null }
  | { readonly kind: 'delta'; readonly index: number; readonly text: string }
  | { readonly kind: 'ended'; readonly answer: Answer }
  | { readonly kind: 'other' }
);

export type ServerMessage =
  | StreamEvent
  /** `tokens`: how many there are of each response, by its id. */
  | { readonly kind: 'heartbeat'; readonly tokens: JsonObject }
  | { readonly kind: 'error'; readonly streamId: string | null; readonly failure: Failure };

const DELTAS = new Set([
  'response.output_text.delta',
  'response.reasoning_text.delta',
  'response.function_call_arguments.delta',
]);

/** What a frame says; null: nothing that is known. */
export function readMessage(frame: string): ServerMessage | null {
  const from = asObject(parseJson(frame));
  const type = textAt(from, 'type');
  if (type === 'heartbeat') return { kind: 'heartbeat', tokens: objectAt(from, 'tokens') };
  if (type === 'error') return errorOf(from);
  const number = numberOrNull(from, 'sequence_number');
  const streamId = textOrNull(from, 'stream_id');
  if (number === null || streamId === null) return null;
  return { ...bodyOf(type, from), number, streamId };
}

type Body = StreamEvent extends infer Event ? (Event extends unknown ? Omit<Event, 'streamId' | 'number'> : never) : never;

function bodyOf(type: string, from: JsonObject): Body {
  if (DELTAS.has(type)) return { kind: 'delta', index: numberAt(from, 'output_index'), text: textAt(from, 'delta') };
  switch (type) {
    case 'response.created': {
      const response = objectAt(from, 'response');
      return { kind: 'opened', isQueued: response['status'] === 'queued', answer: answerOf(response) };
    }
    case 'response.in_progress':
      return { kind: 'started' };
    case 'response.output_item.added':
    case 'response.output_item.done':
      return { kind: 'item', index: numberAt(from, 'output_index'), part: partsOf(objectAt(from, 'item'))[0] ?? null };
    case 'response.completed':
    case 'response.incomplete':
    case 'response.failed':
      return { kind: 'ended', answer: answerOf(objectAt(from, 'response')) };
    default:
      return { kind: 'other' };
  }
}

function errorOf(from: JsonObject): ServerMessage {
  const failure = failureOfBody(from, numberAt(from, 'status'), numberOrNull(from, 'retry_after'));
  return { kind: 'error', streamId: textOrNull(from, 'stream_id'), failure };
}
