/** The server's JSON of `/v1/usage` as our types. */

import { type JsonObject, asObject, numberIn, numberOrNull, objectIn, objectsIn, textIn, textOrNull } from './json';
import type { Usage, UsageShare, UsageSums } from './types';

export function usageOf(value: unknown): Usage {
  const from = asObject(value);
  const left = objectIn(from, 'left');
  return {
    firstDay: textIn(from, 'first_day'),
    lastDay: textIn(from, 'last_day'),
    keyId: textOrNull(from, 'key_id'),
    totals: sumsOf(objectIn(from, 'totals')),
    rows: objectsIn(from, 'data').map((row) => ({ ...sumsOf(row), day: textIn(row, 'day'), model: textIn(row, 'model') })),
    left: {
      requestsPerMinute: shareOf(objectIn(left, 'requests_per_minute')),
      tokensPerMinute: shareOf(objectIn(left, 'tokens_per_minute')),
      tokensPerDay: shareOf(objectIn(left, 'tokens_per_day')),
      parallelRequests: shareOf(objectIn(left, 'parallel_requests')),
    },
  };
}

function sumsOf(from: JsonObject): UsageSums {
  return {
    numRequests: numberIn(from, 'num_requests'),
    promptTokens: numberIn(from, 'prompt_tokens'),
    cachedTokens: numberIn(from, 'cached_tokens'),
    completionTokens: numberIn(from, 'completion_tokens'),
  };
}

function shareOf(from: JsonObject): UsageShare | null {
  const limit = numberOrNull(from, 'limit');
  return limit === null ? null : { limit, remaining: numberIn(from, 'remaining'), resetS: numberIn(from, 'reset_s') };
}
