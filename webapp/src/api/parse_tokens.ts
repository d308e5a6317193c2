/** The log probabilities of a chat completion as probabilities. */

import { type JsonObject, asObject, numberIn, objectIn, objectsIn, textIn } from './json';
import type { AnswerWithTokens } from './types';

export function answerWithTokensOf(value: unknown): AnswerWithTokens {
  const [choice = {}] = objectsIn(asObject(value), 'choices');
  const tokens = objectsIn(objectIn(choice, 'logprobs'), 'content');
  return {
    text: textIn(objectIn(choice, 'message'), 'content'),
    tokens: tokens.map((token) => ({ ...tokenOf(token), top: objectsIn(token, 'top_logprobs').map(tokenOf) })),
  };
}

function tokenOf(from: JsonObject): { readonly token: string; readonly probability: number } {
  return { token: textIn(from, 'token'), probability: Math.exp(numberIn(from, 'logprob')) };
}
