import { beforeEach, expect, test } from 'vitest';
import { ApiError } from '../../../src/api/failure';
import { draftOf, saveDrafts, setDraft } from '../../../src/state/drafts';
import { settingsOf } from '../../../src/state/settings';
import { newThread, threadOf } from '../../../src/state/threads';
import { siblingsOf } from '../../../src/tree/tree';
import { Chat, freshStart, path } from './core_chat';
import { told } from './frames';
import { message } from './messages';

beforeEach(freshStart);

test('the next question follows the answer in view', () => {
  const chat = new Chat();
  const threadId = newThread();
  void chat.turns.send(threadId, 'One');
  chat.answer(['Hi']);

  void chat.turns.send(threadId, 'Two');

  expect(chat.last).toMatchObject({ input: 'Two', conversation: 'conv_1', x_conch: { parent_id: 'resp_1' } });
});

test('answering again makes a sibling with the same parent and no input', () => {
  const chat = new Chat();
  const threadId = newThread();
  void chat.turns.send(threadId, 'One');
  chat.answer(['Hi']);

  void chat.turns.regenerate(threadId, 'resp_1', 'other');

  expect(chat.last).toMatchObject({ model: 'other', conversation: 'conv_1', x_conch: { parent_id: 'msg_0' } });
  expect(chat.last).not.toHaveProperty('input');
  const tree = threadOf(threadId)?.tree;
  expect(tree === undefined ? [] : siblingsOf(tree, 'resp_1')).toHaveLength(2);
});

test('changing a question makes a sibling of it, and the old path stays', async () => {
  const chat = new Chat();
  const threadId = newThread();
  void chat.turns.send(threadId, 'One');
  chat.answer(['Hi']);

  void chat.turns.edit(threadId, 'msg_0', 'Another');
  expect(chat.last).toMatchObject({ input: 'Another', x_conch: { parent_id: null } });
  expect(path(threadId).map((each) => each.role)).toEqual(['user', 'assistant']);
  await chat.turns.showSibling(threadId, 'msg_0');

  expect(path(threadId).map((each) => each.id)).toEqual(['msg_0', 'resp_1']);
  expect(chat.moved).toEqual(['resp_1']);
});

test('a branch that the server does not switch to is taken back', async () => {
  const chat = new Chat();
  chat.tree = { head: 'a1', messages: [message('u1', null), message('a1', 'u1'), message('a2', 'u1')] };
  await chat.opening.open('conv_1');

  chat.failure = new ApiError({ status: 500, code: null, message: 'No.', param: null, retryAfterS: null });
  const switching = chat.turns.showSibling('conv_1', 'a2');
  const atOnce = path('conv_1').at(-1)?.id;
  await switching;

  expect(atOnce).toBe('a2');
  expect(path('conv_1').at(-1)?.id).toBe('a1');
});

test('what is sent while an answer runs waits for its end', () => {
  const chat = new Chat();
  const threadId = newThread();
  void chat.turns.send(threadId, 'One');
  const { events } = told(chat.lastKey, ['Hi']);
  chat.hear(events.slice(0, 5));

  void chat.turns.send(threadId, 'Two');
  const waiting = threadOf(threadId)?.queued.map((each) => each.text);
  chat.hear(events.slice(5));

  expect(waiting).toEqual(['Two']);
  expect(chat.last).toMatchObject({ input: 'Two', x_conch: { parent_id: 'resp_1' } });
  expect(threadOf(threadId)?.queued).toEqual([]);
});

function keptDrafts(): string | null {
  saveDrafts();
  return localStorage.getItem('conch.drafts');
}

test('what waited is kept no longer than until the server has it', () => {
  const chat = new Chat();
  const threadId = newThread();
  void chat.turns.send(threadId, 'One');
  const { events } = told(chat.lastKey, ['Hi']);
  chat.hear(events.slice(0, 5));
  void chat.turns.send(threadId, 'Two');
  setDraft(threadId, 'Three');
  const waiting = keptDrafts();
  chat.hear(events.slice(5));
  chat.answer(['Yes']);

  expect(waiting).toBe('{"conv_1":"Two\\n\\nThree"}');
  expect(keptDrafts()).toBe('{"conv_1":"Three"}');
});

test('what is sent while a session is loaded follows its end', async () => {
  const chat = new Chat();
  chat.tree = { head: 'a1', messages: [message('u1', null), message('a1', 'u1')] };
  const opening = chat.opening.open('conv_1');
  setDraft('conv_1', 'Two');

  void chat.turns.send('conv_1', 'Two');
  const left = draftOf('conv_1');
  await opening;
  await expect.poll(() => chat.sent.length).toBe(1);

  expect(left).toBe('');
  expect(chat.last).toMatchObject({ input: 'Two', conversation: 'conv_1', x_conch: { parent_id: 'a1' } });
});

test('what is sent to a session that cannot be loaded stays in the field', async () => {
  const chat = new Chat();
  chat.failure = new ApiError({ status: 500, code: null, message: 'No.', param: null, retryAfterS: null });
  void chat.opening.open('conv_1');

  const isSent = await chat.turns.send('conv_1', 'Two');

  expect(isSent).toBe(false);
  expect(chat.sent).toEqual([]);
  expect(draftOf('conv_1')).toBe('Two');
});

test('what waits for an answer that was stopped comes back to the field', () => {
  const chat = new Chat();
  const threadId = newThread();
  void chat.turns.send(threadId, 'One');
  const { events } = told(chat.lastKey, ['Hi'], 'cancelled');
  chat.hear(events.slice(0, 5));

  void chat.turns.send(threadId, 'Two');
  chat.turns.stop(threadId);
  chat.hear(events.slice(5));

  expect(draftOf(threadId)).toBe('Two');
  expect(path(threadId).at(-1)?.status).toBe('cancelled');
});

test('two answers are compared as siblings, and one of them is kept', async () => {
  const chat = new Chat();
  const threadId = newThread();
  const settings = settingsOf(threadId);
  const comparing = chat.turns.compare(threadId, 'Hello', [
    { model: 'demo', settings: { ...settings, temperature: 0 } },
    { model: 'other', settings: { ...settings, temperature: 1 } },
  ]);
  chat.answer(['One']);
  await expect.poll(() => chat.sent.length).toBe(2);
  const second = told(chat.lastKey, ['Two']).events.map((event) => event.replaceAll('resp_1', 'resp_2'));
  chat.hear(second);

  expect(await comparing).toBe(true);
  expect(chat.sent.map((sent) => [sent['model'], sent['temperature']])).toEqual([
    ['demo', 0],
    ['other', 1],
  ]);
  expect(chat.sent[1]).toMatchObject({ conversation: 'conv_1', x_conch: { parent_id: 'msg_0' } });
  expect(threadOf(threadId)?.comparing?.keys).toEqual(chat.sent.map((sent) => sent['stream_id']));
  await chat.turns.keepAnswer(threadId, 'resp_1');
  expect(threadOf(threadId)?.comparing).toBeNull();
  expect(chat.moved).toEqual(['resp_1']);
});
