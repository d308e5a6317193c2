/** One node of a session's tree, as every view sees it. Ids are the server's, but for what waits to be sent. */

import type { Failure } from '../api/failure';

export type Role = 'system' | 'user' | 'assistant' | 'tool';

/** `sending` is known here only; the others are the server's. */
export type MessageStatus =
  | 'sending'
  | 'queued'
  | 'in_progress'
  | 'completed'
  | 'incomplete'
  | 'failed'
  | 'cancelled';

export type Part =
  | { readonly kind: 'text'; readonly id: string; readonly text: string }
  | { readonly kind: 'reasoning'; readonly id: string; readonly text: string }
  | { readonly kind: 'call'; readonly id: string; readonly callId: string; readonly name: string; readonly text: string }
  | { readonly kind: 'output'; readonly id: string; readonly callId: string; readonly text: string };

/** What the server counted and timed. */
export interface Stats {
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
  readonly reasoningTokens: number;
  readonly queueMs: number | null;
  readonly ttftMs: number | null;
  readonly tokensPerSecond: number | null;
}

export interface Message {
  /** Stays the same when the local id gives way to the server's: React's key. */
  readonly key: string;
  readonly id: string;
  readonly parentId: string | null;
  /** Seconds since 1970. */
  readonly createdAt: number;
  readonly role: Role;
  readonly model: string | null;
  readonly status: MessageStatus;
  readonly isDeleted: boolean;
  readonly parts: readonly Part[];
  readonly stats: Stats | null;
  /** Why an answer is incomplete: `max_output_tokens`, `interrupted`, `server_shutdown`. */
  readonly reason: string | null;
  readonly failure: Failure | null;
  /** Whether all of it is in the store. */
  readonly isSaved: boolean;
  /** How many of the oldest messages did not fit into the context. */
  readonly numDropped: number;
  /** The key under which some tab asked for this answer. */
  readonly askedAs: string | null;
  /** What the model was asked for beside its input, as the server's fields. */
  readonly asked: Readonly<Record<string, unknown>>;
}

/** Whether more of it may come. */
export function isRunning(message: Message): boolean {
  return message.status === 'sending' || message.status === 'queued' || message.status === 'in_progress';
}

/** What was said in a message, for people: to copy, to edit. */
export function textOf(message: Message): string {
  return message.parts
    .filter((part) => part.kind === 'text')
    .map((part) => part.text)
    .join('\n');
}
