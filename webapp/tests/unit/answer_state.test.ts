import { expect, test } from 'vitest';
import { noticesOf } from '../../src/components/answer_state';
import { threadStrings as strings } from '../../src/thread_strings';
import type { Message } from '../../src/tree/message';

const answer: Message = {
  key: 'a',
  id: 'resp_a',
  parentId: 'msg_q',
  createdAt: 0,
  role: 'assistant',
  model: 'demo',
  status: 'completed',
  isDeleted: false,
  parts: [],
  stats: null,
  reason: null,
  failure: null,
  isSaved: true,
  numDropped: 0,
  askedAs: null,
  asked: {},
};

test('nothing is said about an answer that has ended well', () => {
  expect(noticesOf(answer)).toEqual([]);
});

test.each([
  [{ status: 'cancelled' }, strings.stopped],
  [{ status: 'incomplete', reason: 'interrupted' }, strings.interrupted],
  [{ status: 'incomplete', reason: 'server_shutdown' }, strings.shutDown],
  [{ status: 'incomplete', reason: 'max_output_tokens' }, strings.cutByLength],
  [{ status: 'incomplete', reason: null }, strings.incomplete],
  [{ isSaved: false }, strings.notSaved],
  [{ numDropped: 1 }, strings.dropped(1)],
  [{ numDropped: 3 }, strings.dropped(3)],
] as const)('an answer with %j says so', (changes, text) => {
  expect(noticesOf({ ...answer, ...changes }).map((notice) => notice.text)).toEqual([text]);
});

test('a failed answer tells why', () => {
  const failure = { status: 500, code: null, message: 'The model is gone.', param: null, retryAfterS: null };

  expect(noticesOf({ ...answer, status: 'failed', failure })).toEqual([
    { kind: 'error', text: `${strings.failed} The model is gone.` },
  ]);
});

test('an answer that still runs is not said to be unsaved', () => {
  expect(noticesOf({ ...answer, status: 'in_progress', isSaved: false })).toEqual([]);
});
