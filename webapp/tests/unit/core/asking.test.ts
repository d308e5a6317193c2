import { beforeEach, expect, test } from 'vitest';
import { ApiError } from '../../../src/api/failure';
import { draftOf, setDraft } from '../../../src/state/drafts';
import { models } from '../../../src/state/models';
import { changeSettings, settingsOf } from '../../../src/state/settings';
import { newThread, onThreadNamed, threadIdOf, threadOf } from '../../../src/state/threads';
import { Chat, freshStart, path } from './core_chat';
import { told } from './frames';
import { message } from './messages';

beforeEach(freshStart);

test('a question shows at once, and becomes what the server has', async () => {
  const chat = new Chat();
  const threadId = newThread();
  const accepted = chat.turns.send(threadId, 'Hello');
  const atOnce = path(threadId).map(({ role, status }) => `${role} ${status}`);

  chat.answer(['Good', ' day']);

  expect(await accepted).toBe(true);
  expect(atOnce).toEqual(['user sending', 'assistant sending']);
  expect(path(threadId).map(({ id, status }) => `${id} ${status}`)).toEqual(['msg_0 completed', 'resp_1 completed']);
  expect(path(threadId).at(-1)?.parts[0]?.text).toBe('Good day');
});

test('the first question makes a session, and the thread keeps its id', async () => {
  const chat = new Chat();
  const threadId = newThread();
  const named: string[] = [];
  const end = onThreadNamed((thread, session) => void named.push(`${thread} ${session}`));
  changeSettings(threadId, { temperature: 0.2 });

  void chat.turns.send(threadId, 'Hello');
  chat.answer(['Hi']);
  end();

  expect(named).toEqual([`${threadId} conv_1`]);
  expect(threadIdOf('conv_1')).toBe(threadId);
  expect(settingsOf(threadId).temperature).toBe(0.2);
  expect(settingsOf(newThread()).temperature).toBeNull();
});

test('settings reach the wire, and only those that were chosen', () => {
  const chat = new Chat();
  const threadId = newThread();
  changeSettings(threadId, { temperature: 0.2, topP: 0.8, topK: 7, maxTokens: 33, repeatPenalty: 1.3, stop: ['\n\n', 'a,b'], systemPrompt: 'Be brief.' });

  void chat.turns.send(threadId, 'Hello');

  const { metadata: _, stream_id: __, ...body } = chat.last;
  expect(body).toEqual({
    type: 'response.create',
    count_tokens: true,
    model: 'demo',
    input: 'Hello',
    background: true,
    temperature: 0.2,
    top_p: 0.8,
    top_k: 7,
    max_output_tokens: 33,
    repetition_penalty: 1.3,
    stop: ['\n\n', 'a,b'],
    instructions: 'Be brief.',
  });
});

test('an answer keeps what was asked for', () => {
  const chat = new Chat();
  const threadId = newThread();
  changeSettings(threadId, { temperature: 0.2, seed: 7 });

  void chat.turns.send(threadId, 'Hello');
  chat.answer(['Hi']);

  expect(path(threadId).at(-1)?.asked).toMatchObject({ temperature: 0.2, seed: 7 });
});

test('a refused question leaves no trace but its text in the field, and when to try again', async () => {
  const chat = new Chat();
  const threadId = newThread();
  setDraft(threadId, 'Hello');
  const accepted = chat.turns.send(threadId, 'Hello');
  const whileSending = draftOf(threadId);

  chat.hear([`{"type":"error","status":429,"error":{"message":"Slowly."},"retry_after":60,"stream_id":"${chat.lastKey}"}`]);

  expect(await accepted).toBe(false);
  expect(whileSending).toBe('');
  expect(draftOf(threadId)).toBe('Hello');
  expect(path(threadId)).toEqual([]);
  expect(threadOf(threadId)?.failure?.message).toBe('Slowly.');
  expect(threadOf(threadId)?.retryAt).toBeGreaterThan(Date.now());
});

test('what was typed while a question was refused is not lost', () => {
  const chat = new Chat();
  const threadId = newThread();
  void chat.turns.send(threadId, 'First');

  setDraft(threadId, 'Second');
  chat.hear([`{"type":"error","status":503,"error":{"message":"Not now."},"stream_id":"${chat.lastKey}"}`]);

  expect(draftOf(threadId)).toBe('First\n\nSecond');
});

test('an opened session follows what runs in it', async () => {
  const chat = new Chat();
  chat.tree = { head: 'a1', messages: [message('u1', null), message('a1', 'u1', { status: 'in_progress' })] };

  await chat.opening.open('conv_1');

  expect(chat.sent).toEqual([{ type: 'response.resume', stream_id: 'a1', count_tokens: true, response_id: 'a1' }]);
});

test("somebody else's session is not found, and nothing of it is shown", async () => {
  const chat = new Chat();
  chat.failure = new ApiError({ status: 404, code: null, message: 'Not found.', param: null, retryAfterS: null });

  await chat.opening.open('conv_9');

  expect(threadOf('conv_9')?.state).toBe('missing');
  expect(path('conv_9')).toEqual([]);
});

test('a question of unknown fate is found in its session by its key', async () => {
  const chat = new Chat();
  const threadId = newThread();
  void chat.turns.send(threadId, 'Hello');
  const key = chat.lastKey;
  chat.tree = { head: 'resp_1', messages: [message('msg_0', null), message('resp_1', 'msg_0', { askedAs: key, status: 'in_progress' })] };

  chat.asking.answers.connected();
  await expect.poll(() => chat.sent.length).toBe(2);
  chat.hear(told(key, ['Hi']).events);

  expect(chat.last).toEqual({ type: 'response.resume', stream_id: key, count_tokens: true, response_id: 'resp_1' });
  expect(path(threadId).map((each) => each.id)).toEqual(['msg_0', 'resp_1']);
});

test('a question that never arrived is sent again', async () => {
  const chat = new Chat();
  const threadId = newThread();
  void chat.turns.send(threadId, 'Hello');

  chat.asking.answers.connected();
  await expect.poll(() => chat.sent.length).toBe(2);

  expect(chat.sent[1]).toEqual(chat.sent[0]);
});

test('an answer that failed says why and keeps what it had said', () => {
  const chat = new Chat();
  const threadId = newThread();
  void chat.turns.send(threadId, 'Hello');

  chat.answer(['Half'], 'failed');

  expect(path(threadId).at(-1)).toMatchObject({ status: 'failed', failure: { code: 'engine_failure', message: 'It broke.' } });
  expect(path(threadId).at(-1)?.parts[0]?.text).toBe('Half');
});

test('a question that comes before the models are known is sent when they are', async () => {
  const chat = new Chat();
  const threadId = newThread();
  const { items } = models.getState();
  models.setState({ items: [], state: 'idle' });

  void chat.turns.send(threadId, 'Hello');
  const before = chat.sent.length;
  models.setState({ items, state: 'ready' });
  await expect.poll(() => chat.sent.length).toBe(1);

  expect(before).toBe(0);
  expect(chat.last).toMatchObject({ model: 'demo' });
});

test('without a model nothing is sent, and it is said why', async () => {
  const chat = new Chat();
  const threadId = newThread();
  models.setState({ items: [], state: 'ready' });

  expect(await chat.turns.send(threadId, 'Hello')).toBe(false);
  expect(chat.sent).toEqual([]);
  expect(draftOf(threadId)).toBe('Hello');
  expect(threadOf(threadId)?.failure?.code).toBe('no_model');
});
