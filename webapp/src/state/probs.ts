/**
 * How probable each token of an answer was, on demand.
 *
 * How it works: the model is asked the same once more, with the seed that the first answer had
 * (every question that this chat sends has one), and this time for its probabilities. What it says
 * must be the answer, else the figures are not those of the answer, and not shown.
 */

import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import { ApiError, type Failure, failureOf } from '../api/failure';
import { answerWithProbs } from '../api/resources';
import type { TokenProbs } from '../api/types';
import { coreStrings } from '../core_strings';
import { type Message, textOf } from '../tree/message';
import { type Tree, pathOf, withHead } from '../tree/tree';
import { canDo } from './models';
import { threadOf } from './threads';

export interface Probs {
  readonly state: 'none' | 'loading' | 'ready' | 'failed';
  readonly tokens: readonly TokenProbs[];
  readonly failure: Failure | null;
}

const NONE: Probs = { state: 'none', tokens: [], failure: null };
const NUM_TOP = 5;
const MOST_KEPT = 20;
const SAMPLING = ['temperature', 'top_p', 'top_k', 'min_p', 'repetition_penalty', 'presence_penalty', 'frequency_penalty', 'seed', 'stop'];

export const probs = createStore<Readonly<Record<string, Probs>>>(() => ({}));

export function useProbs(messageId: string): Probs {
  return useStore(probs, (state) => state[messageId] ?? NONE);
}

export async function loadProbs(threadId: string, messageId: string): Promise<void> {
  const tree = threadOf(threadId)?.tree;
  const message = tree?.messages.get(messageId);
  const known = probs.getState()[messageId]?.state;
  if (tree === undefined || message === undefined || known === 'loading' || known === 'ready') return;
  if (!canDo(message.model, 'log_probs')) {
    put(messageId, { ...NONE, state: 'failed', failure: failed('no_log_probs', coreStrings.noProbs) });
    return;
  }
  put(messageId, { ...NONE, state: 'loading' });
  try {
    const { text, tokens } = await answerWithProbs(sameAgain(tree, message));
    if (text.trim() !== textOf(message).trim()) throw new ApiError(failed('different_answer', coreStrings.probsDiffer));
    put(messageId, { state: 'ready', tokens, failure: null });
  } catch (error) {
    put(messageId, { state: 'failed', tokens: [], failure: failureOf(error) });
  }
}

/** The request for a chat completion that says what the answer's own request said. */
export function sameAgain(tree: Tree, message: Message): Readonly<Record<string, unknown>> {
  const { asked } = message;
  const sampling = SAMPLING.filter((name) => asked[name] !== undefined).map((name) => [name, asked[name]] as const);
  const instructions = typeof asked['instructions'] === 'string' ? [{ role: 'system', content: asked['instructions'] }] : [];
  const seen = pathOf(withHead(tree, message.parentId)).filter((each) => !each.isDeleted);
  return {
    model: message.model,
    messages: [...instructions, ...seen.slice(message.numDropped).map(chatMessage)],
    ...Object.fromEntries(sampling),
    ...(message.stats === null ? {} : { max_tokens: Math.max(1, message.stats.completionTokens) }),
    logprobs: true,
    // Some engines tell the chosen token's probability only.
    ...(canDo(message.model, 'top_log_probs') ? { top_logprobs: NUM_TOP } : {}),
  };
}

function chatMessage(message: Message): Readonly<Record<string, unknown>> {
  return { role: message.role, content: textOf(message) };
}

function failed(code: string, message: string): Failure {
  return { status: 0, code, message, param: null, retryAfterS: null };
}

function put(messageId: string, one: Probs): void {
  const { [messageId]: _, ...others } = probs.getState();
  const kept = Object.entries(others).slice(1 - MOST_KEPT);
  probs.setState({ ...Object.fromEntries(kept), [messageId]: one }, true);
}
