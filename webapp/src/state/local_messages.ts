/** Messages that are shown before the server knows them. */

import type { Message } from '../tree/message';

const EMPTY = {
  isDeleted: false,
  stats: null,
  reason: null,
  failure: null,
  isSaved: false,
  numDropped: 0,
  askedAs: null,
  asked: {},
} as const;

export function localQuestion(text: string, parentId: string | null): Message {
  const id = `local-${randomId()}`;
  return {
    ...EMPTY,
    key: id,
    id,
    parentId,
    createdAt: Date.now() / 1000,
    role: 'user',
    model: null,
    status: 'sending',
    parts: [{ kind: 'text', id, text }],
  };
}

export function localAnswer(model: string | null, parentId: string | null): Message {
  const id = `local-${randomId()}`;
  return {
    ...EMPTY,
    key: id,
    id,
    parentId,
    createdAt: Date.now() / 1000,
    role: 'assistant',
    model,
    status: 'sending',
    parts: [],
  };
}

export function isLocal(id: string): boolean {
  return id.startsWith('local-');
}

/** No `randomUUID`: that is there on pages of https and of this machine only. */
export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
