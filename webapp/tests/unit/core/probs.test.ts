import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { models } from '../../../src/state/models';
import { loadProbs, probs } from '../../../src/state/probs';
import { emptyThread, putThread } from '../../../src/state/threads';
import { EMPTY_TREE, withMessage } from '../../../src/tree/tree';
import { message } from './messages';

const asked: object[] = [];
let said = '';

beforeEach(() => {
  asked.length = 0;
  said = 'text of a1';
  probs.setState({}, true);
  vi.stubGlobal('fetch', async (_: string, init: RequestInit) => {
    asked.push(JSON.parse(typeof init.body === 'string' ? init.body : '{}') as object);
    const content = [{ token: 'text', logprob: Math.log(0.5), top_logprobs: [{ token: 'text', logprob: Math.log(0.5) }] }];
    return Promise.resolve(Response.json({ choices: [{ message: { content: said }, logprobs: { content } }] }));
  });
  const settings = { temperature: 0.5, seed: 7, instructions: 'Be brief.', top_p: 0.9, metadata: { conch_key: 'k' } };
  const answer = message('a1', 'u1', { model: 'demo', asked: settings });
  const tree = withMessage(withMessage(EMPTY_TREE, message('u1', null)), answer, 'a1');
  putThread({ ...emptyThread('conv_1'), state: 'ready', tree });
  can('log_probs', 'top_log_probs');
});

afterEach(() => {
  vi.unstubAllGlobals();
});

function can(...capabilities: readonly string[]): void {
  const demo = { id: 'demo', state: 'ready', reason: null, engine: null, quantization: null, contextLength: 1, loadingPercent: null, capabilities } as const;
  models.setState({ items: [demo], state: 'ready', failure: null });
}

test('the model is asked the same once more, with its seed and for its probabilities', async () => {
  await loadProbs('conv_1', 'a1');

  expect(asked).toEqual([
    {
      model: 'demo',
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'text of u1' },
      ],
      temperature: 0.5,
      top_p: 0.9,
      seed: 7,
      logprobs: true,
      top_logprobs: 5,
    },
  ]);
  expect(probs.getState()['a1']).toMatchObject({ state: 'ready', tokens: [{ token: 'text', top: [{ token: 'text' }] }] });
  expect(probs.getState()['a1']?.tokens[0]?.probability).toBeCloseTo(0.5);
});

test('figures of another answer are not shown', async () => {
  said = 'something else';

  await loadProbs('conv_1', 'a1');

  expect(probs.getState()['a1']).toMatchObject({ state: 'failed', tokens: [], failure: { code: 'different_answer' } });
});

test('a model that cannot tell is not asked', async () => {
  can();

  await loadProbs('conv_1', 'a1');

  expect(asked).toEqual([]);
  expect(probs.getState()['a1']?.failure?.code).toBe('no_log_probs');
});

test('a model that tells the chosen tokens only is not asked for others', async () => {
  can('log_probs');

  await loadProbs('conv_1', 'a1');

  expect(asked[0]).not.toHaveProperty('top_logprobs');
  expect(probs.getState()['a1']?.state).toBe('ready');
});
