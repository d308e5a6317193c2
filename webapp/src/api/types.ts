/** What the server's REST answers hold, as the views use it. */

import type { Message } from '../tree/message';

export interface SessionSummary {
  readonly id: string;
  readonly title: string;
  readonly titleSource: 'none' | 'words' | 'model' | 'user';
  readonly isPinned: boolean;
  readonly isRunning: boolean;
  /** Seconds since 1970. */
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly head: string | null;
  readonly numMessages: number;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly hasMore: boolean;
}

export interface SessionTree {
  readonly head: string | null;
  readonly messages: readonly Message[];
}

export interface Match {
  readonly sessionId: string;
  readonly messageId: string;
  readonly title: string;
  readonly excerpt: string;
}

export type ModelState = 'ready' | 'loading' | 'unloaded' | 'failed';

export interface Model {
  readonly id: string;
  readonly state: ModelState;
  /** Why it is not ready. */
  readonly reason: string | null;
  readonly engine: string | null;
  readonly quantization: string | null;
  /** Tokens. */
  readonly contextLength: number | null;
  /** Of its last load's time; null unless it loads and has been loaded before. */
  readonly loadingPercent: number | null;
  readonly capabilities: readonly string[];
}

export interface Imported {
  readonly sessions: readonly SessionSummary[];
  readonly refused: readonly { readonly index: number; readonly message: string }[];
}

/** One token with its likeliest alternatives; probabilities are from 0 to 1. */
export interface TokenProbs {
  readonly token: string;
  readonly probability: number;
  readonly top: readonly { readonly token: string; readonly probability: number }[];
}

/** What a model said, and how probable each token of it was. */
export interface AnswerWithTokens {
  readonly text: string;
  readonly tokens: readonly TokenProbs[];
}

/** Requests and tokens of some days. */
export interface UsageSums {
  readonly numRequests: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
}

export interface UsageRow extends UsageSums {
  /** Of UTC, as 2026-11-22. */
  readonly day: string;
  readonly model: string;
}

export interface UsageShare {
  readonly limit: number;
  readonly remaining: number;
  /** Seconds until all of it is there again. */
  readonly resetS: number;
}

export interface Usage {
  readonly firstDay: string;
  readonly lastDay: string;
  /** Null: no key was asked for. */
  readonly keyId: string | null;
  readonly totals: UsageSums;
  readonly rows: readonly UsageRow[];
  /** What is left of each limit; null: there is no such limit. */
  readonly left: {
    readonly requestsPerMinute: UsageShare | null;
    readonly tokensPerMinute: UsageShare | null;
    readonly tokensPerDay: UsageShare | null;
    readonly parallelRequests: UsageShare | null;
  };
}
