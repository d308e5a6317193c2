/** Messages for tests. */

import type { Message } from '../../../src/tree/message';

export function message(id: string, parentId: string | null, changes: Partial<Message> = {}): Message {
  return {
    key: id,
    id,
    parentId,
    createdAt: 1,
    role: id.startsWith('a') ? 'assistant' : 'user',
    model: null,
    status: 'completed',
    isDeleted: false,
    parts: [{ kind: 'text', id, text: `text of ${id}` }],
    stats: null,
    reason: null,
    failure: null,
    isSaved: true,
    numDropped: 0,
    askedAs: null,
    asked: {},
    ...changes,
  };
}
