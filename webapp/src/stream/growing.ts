/** One answer while it grows: takes its events in order and shows what it amounts to. */

import type { Part } from '../tree/message';
import type { StreamEvent } from './protocol';

/** What the views see of it; parts that are complete stay the same objects. */
export interface LiveAnswer {
  readonly phase: 'sending' | 'queued' | 'waiting' | 'writing';
  readonly parts: readonly Part[];
  /** When it was asked for here, or first seen; milliseconds since 1970. */
  readonly askedAt: number;
  readonly firstAt: number | null;
  /** Estimated tokens a second over the last seconds; the true figure comes with the end. */
  readonly rate: number | null;
}

const RATE_WINDOW_MS = 3000;
const MIN_RATE_WINDOW_MS = 400;
// Events that are told again come faster than the model speaks: they are no measure of it.
const RETOLD_MS = 1000;

export class GrowingAnswer {
  private phase: LiveAnswer['phase'];
  private parts: Part[] = [];
  private readonly askedAt: number;
  private firstAt: number | null = null;
  private arrivals: number[] = [];
  private paceFrom = 0;
  private isFrozen = false;

  constructor(phase: LiveAnswer['phase'], askedAt: number) {
    this.phase = phase;
    this.askedAt = askedAt;
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

  /** What comes next was said before. */
  retold(now: number): void {
    this.arrivals = [];
    this.paceFrom = now + RETOLD_MS;
  }

  /** Show nothing that comes from now on: the person has seen enough. */
  freeze(): void {
    this.isFrozen = true;
  }

  snapshot(now: number): LiveAnswer {
    const { phase, askedAt, firstAt } = this;
    // An item of an unknown kind leaves a hole.
    const parts = this.parts.filter((part) => part !== undefined);
    return { phase, parts, askedAt, firstAt, rate: this.rate(now) };
  }

  private grow(index: number, text: string, now: number): number {
    const part = this.parts[index];
    if (part === undefined) return 0;
    this.phase = 'writing';
    this.firstAt ??= now;
    this.parts[index] = { ...part, text: part.text + text };
    if (now >= this.paceFrom) this.arrivals.push(now);
    return text.length;
  }

  private rate(now: number): number | null {
    const firstInside = this.arrivals.findIndex((at) => now - at <= RATE_WINDOW_MS);
    this.arrivals = firstInside < 0 ? [] : this.arrivals.slice(firstInside);
    const [first] = this.arrivals;
    const last = this.arrivals.at(-1);
    if (first === undefined || last === undefined || last - first < MIN_RATE_WINDOW_MS) return null;
    return ((this.arrivals.length - 1) * 1000) / (last - first);
  }
}
