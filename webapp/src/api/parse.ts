/** The server's JSON as our types: the boundary behind which everything is trusted. */

import type { Message, MessageStatus, Part, Role, Stats } from '../tree/message';
import type { Failure } from './failure';
import { type JsonObject, asObject, flagAt, numberAt, numberOrNull, objectAt, objectsAt, oneOf, textAt, textOrNull, textsAt } from './json';
import type { Match, Model, SessionSummary } from './types';

/** The field of a response's metadata that says under which key it was asked for. */
export const KEY_FIELD = 'conch_key';

export function sessionOf(value: unknown): SessionSummary {
  const from = asObject(value);
  const ours = objectAt(from, 'x_conch');
  return {
    id: textAt(from, 'id'),
    title: textAt(ours, 'title'),
    titleSource: oneOf(ours['title_source'], 'none', 'words', 'model', 'user'),
    isPinned: flagAt(ours, 'is_pinned'),
    isRunning: flagAt(ours, 'is_running'),
    createdAt: numberAt(from, 'created_at'),
    updatedAt: numberAt(ours, 'updated_at'),
    head: textOrNull(ours, 'head'),
    numMessages: numberAt(ours, 'num_messages'),
    metadata: textsAt(from, 'metadata'),
  };
}

export function modelOf(value: unknown): Model {
  const from = asObject(value);
  const ours = objectAt(from, 'x_conch');
  const capabilities = ours['capabilities'];
  return {
    id: textAt(from, 'id'),
    state: oneOf(ours['state'], 'unloaded', 'ready', 'loading', 'failed'),
    reason: textOrNull(ours, 'reason'),
    engine: textOrNull(ours, 'engine'),
    quantization: textOrNull(ours, 'quantization'),
    contextLength: numberOrNull(ours, 'context_length'),
    loadingPercent: numberOrNull(ours, 'loading_percent'),
    capabilities: Array.isArray(capabilities) ? capabilities.filter((each) => typeof each === 'string') : [],
  };
}

export function matchOf(value: unknown): Match {
  const from = asObject(value);
  return {
    sessionId: textAt(from, 'conversation_id'),
    messageId: textAt(from, 'message_id'),
    title: textAt(from, 'title'),
    excerpt: textAt(from, 'excerpt'),
  };
}

/** A message of a session's tree. */
export function treeMessageOf(value: unknown): Message {
  const from = asObject(value);
  const id = textAt(from, 'id');
  const items = objectsAt(from, 'items');
  const isAnswer = textOrNull(from, 'model') !== null;
  return {
    key: id,
    id,
    parentId: textOrNull(from, 'parent_id'),
    createdAt: numberAt(from, 'created_at'),
    role: isAnswer ? 'assistant' : roleOf(items[0]),
    model: textOrNull(from, 'model'),
    isDeleted: flagAt(from, 'is_deleted'),
    parts: items.flatMap(partsOf),
    isSaved: true,
    numDropped: numberAt(from, 'num_dropped'),
    askedAs: textOrNull(objectAt(objectAt(from, 'settings'), 'metadata'), KEY_FIELD),
    asked: objectAt(from, 'settings'),
    ...endingOf(from),
  };
}

export type Answer = Pick<Message, 'id' | 'model' | 'parts' | 'isSaved' | 'numDropped' | 'status' | 'stats' | 'reason' | 'failure'> & {
  readonly sessionId: string | null;
  readonly parentId: string | null;
  readonly createdAt: number;
};

/** A response, running or ended. */
export function answerOf(value: unknown): Answer {
  const from = asObject(value);
  const ours = objectAt(from, 'x_conch');
  return {
    id: textAt(from, 'id'),
    sessionId: textOrNull(ours, 'session_id'),
    parentId: textOrNull(ours, 'parent_id'),
    createdAt: numberAt(from, 'created_at'),
    model: textOrNull(from, 'model'),
    parts: objectsAt(from, 'output').flatMap(partsOf),
    isSaved: flagAt(ours, 'saved'),
    numDropped: numberAt(ours, 'num_dropped'),
    ...endingOf(from),
  };
}

/** The part that an item is; items of unknown kinds are none. */
export function partsOf(item: JsonObject): readonly Part[] {
  const id = textAt(item, 'id');
  const content = objectsAt(item, 'content').map((part) => textAt(part, 'text')).join('');
  switch (textAt(item, 'type')) {
    case 'message':
      return [{ kind: 'text', id, text: content }];
    case 'reasoning':
      return [{ kind: 'reasoning', id, text: content }];
    case 'function_call':
      return [{ kind: 'call', id, callId: textAt(item, 'call_id'), name: textAt(item, 'name'), text: textAt(item, 'arguments') }];
    case 'function_call_output':
      return [{ kind: 'output', id, callId: textAt(item, 'call_id'), text: textAt(item, 'output') }];
    default:
      return [];
  }
}

function endingOf(from: JsonObject): Pick<Message, 'status' | 'stats' | 'reason' | 'failure'> {
  return {
    status: statusOf(from['status']),
    stats: statsOf(objectAt(from, 'usage')),
    reason: textOrNull(objectAt(from, 'incomplete_details'), 'reason'),
    failure: answerFailureOf(objectAt(from, 'error')),
  };
}

function statusOf(value: unknown): MessageStatus {
  return oneOf(value, 'completed', 'queued', 'in_progress', 'incomplete', 'failed', 'cancelled');
}

function roleOf(item: JsonObject | undefined): Role {
  if (item?.['type'] === 'function_call_output') return 'tool';
  if (item?.['role'] === 'developer') return 'system';
  return oneOf(item?.['role'], 'user', 'system', 'assistant');
}

function statsOf(usage: JsonObject): Stats | null {
  if (numberOrNull(usage, 'output_tokens') === null) return null;
  const timing = objectAt(usage, 'x_conch');
  return {
    promptTokens: numberAt(usage, 'input_tokens'),
    cachedTokens: numberAt(objectAt(usage, 'input_tokens_details'), 'cached_tokens'),
    completionTokens: numberAt(usage, 'output_tokens'),
    reasoningTokens: numberAt(objectAt(usage, 'output_tokens_details'), 'reasoning_tokens'),
    queueMs: numberOrNull(timing, 'queue_ms'),
    ttftMs: numberOrNull(timing, 'ttft_ms'),
    tokensPerSecond: numberOrNull(timing, 'tokens_per_second'),
  };
}

function answerFailureOf(error: JsonObject): Failure | null {
  const message = textOrNull(error, 'message');
  if (message === null) return null;
  return { status: 500, code: textOrNull(error, 'code'), message, param: null, retryAfterS: null };
}
