/** One answer while it grows: takes its events in order and shows what it amounts to. */

import type { Part } from '../tree/message';
import type { StreamEvent } from './protocol';

/** What the views see of it; parts that are complete stay the same objects. */
export interface LiveAnswer {
  readonly phase: 'sending' | 'queued' | 'waiting' | 'writing';
  readonly parts: readonly Part[];
  /** When it was asked for here, or first seen; milliseconds since 1970. */
  readonly askedAt: number;
  /** Null also when it was not asked for here: nobody here knows how long it took. */
  readonly firstAt: number | null;
  /** Tokens a second over the last seconds, as the server counts them; null: it has not said. */
  readonly rate: number | null;
}

const RATE_WINDOW_MS = 3000;
const MIN_RATE_WINDOW_MS = 400;

interface Count {
  readonly at: number;
  readonly numTokens: number;
}

export class GrowingAnswer {
  private phase: LiveAnswer['phase'];
  private parts: Part[] = [];
  private readonly askedAt: number;
  private readonly isAskedHere: boolean;
  private firstAt: number | null = null;
  private counts: readonly Count[] = [];
  private isFrozen = false;

  constructor(phase: LiveAnswer['phase'], askedAt: number) {
    this.phase = phase;
    this.askedAt = askedAt;
    this.isAskedHere = phase === 'sending';
  }

  /** Take the next event; returns the number of characters that came with it. */
  take(event: StreamEvent, now: number): number {
    if (this.isFrozen) return 0;
    switch (event.kind) {
      case 'opened':
        this.phase = event.isQueued ? 'queued' : 'waiting';
        return 0;
      case 'started':
        if (this.phase !== 'writing') this.phase = 'waiting';
        return 0;
      case 'item':
        if (event.part !== null) this.parts[event.index] = event.part;
        return 0;
      case 'delta':
        return this.grow(event.index, event.text, now);
      default:
        return 0;
    }
  }

  /** The server says how many tokens there are by now; a delta may be of several. */
  counted(numTokens: number, at: number): void {
    const recent = this.counts.filter((count) => at - count.at <= RATE_WINDOW_MS);
    if (!this.isFrozen) this.counts = [...recent, { at, numTokens }];
  }

  /** Show nothing that comes from now on: the person has seen enough. */
  freeze(): void {
    this.isFrozen = true;
  }

  snapshot(): LiveAnswer {
    const { phase, askedAt, firstAt } = this;
    // An item of an unknown kind leaves a hole.
    const parts = this.parts.filter((part) => part !== undefined);
    return { phase, parts, askedAt, firstAt, rate: this.rate() };
  }

  private grow(index: number, text: string, now: number): number {
    const part = this.parts[index];
    if (part === undefined) return 0;
    this.phase = 'writing';
    if (this.isAskedHere) this.firstAt ??= now;
    this.parts[index] = { ...part, text: part.text + text };
    return text.length;
  }

  private rate(): number | null {
    const [first, last] = [this.counts[0], this.counts.at(-1)];
    if (first === undefined || last === undefined || last.at - first.at < MIN_RATE_WINDOW_MS) return null;
    return ((last.numTokens - first.numTokens) * 1000) / (last.at - first.at);
  }
}
