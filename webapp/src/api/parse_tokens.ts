/** The log probabilities of a chat completion as probabilities. */

import { type JsonObject, asObject, numberAt, objectAt, objectsAt, textAt } from './json';
import type { AnswerWithTokens } from './types';

export function answerWithTokensOf(value: unknown): AnswerWithTokens {
  const [choice = {}] = objectsAt(asObject(value), 'choices');
  const tokens = objectsAt(objectAt(choice, 'logprobs'), 'content');
  return {
    text: textAt(objectAt(choice, 'message'), 'content'),
    tokens: tokens.map((token) => ({ ...tokenOf(token), top: objectsAt(token, 'top_logprobs').map(tokenOf) })),
  };
}

function tokenOf(from: JsonObject): { readonly token: string; readonly probability: number } {
  return { token: textAt(from, 'token'), probability: Math.exp(numberAt(from, 'logprob')) };
}
