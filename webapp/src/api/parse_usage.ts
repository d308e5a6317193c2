/** The server's JSON of `/v1/usage` as our types. */

import { type JsonObject, asObject, numberAt, numberOrNull, objectAt, objectsAt, textAt, textOrNull } from './json';
import type { Usage, UsageShare, UsageSums } from './types';

export function usageOf(value: unknown): Usage {
  const from = asObject(value);
  const left = objectAt(from, 'left');
  return {
    firstDay: textAt(from, 'first_day'),
    lastDay: textAt(from, 'last_day'),
    keyId: textOrNull(from, 'key_id'),
    totals: sumsOf(objectAt(from, 'totals')),
    rows: objectsAt(from, 'data').map((row) => ({ ...sumsOf(row), day: textAt(row, 'day'), model: textAt(row, 'model') })),
    left: {
      requestsPerMinute: shareOf(objectAt(left, 'requests_per_minute')),
      tokensPerMinute: shareOf(objectAt(left, 'tokens_per_minute')),
      tokensPerDay: shareOf(objectAt(left, 'tokens_per_day')),
      parallelRequests: shareOf(objectAt(left, 'parallel_requests')),
    },
  };
}

function sumsOf(from: JsonObject): UsageSums {
  return {
    numRequests: numberAt(from, 'num_requests'),
    promptTokens: numberAt(from, 'prompt_tokens'),
    cachedTokens: numberAt(from, 'cached_tokens'),
    completionTokens: numberAt(from, 'completion_tokens'),
  };
}

function shareOf(from: JsonObject): UsageShare | null {
  const limit = numberOrNull(from, 'limit');
  return limit === null ? null : { limit, remaining: numberAt(from, 'remaining'), resetS: numberAt(from, 'reset_s') };
}
