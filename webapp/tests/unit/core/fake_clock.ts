/** A clock that moves when it is told to; frames come when they are asked for. */

import type { Clock } from '../../../src/stream/clock';

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

export class FakeClock implements Clock {
  hidden = false;
  private time = 0;
  private timers = new Set<Timer>();
  private frames = new Set<() => void>();

  now(): number {
    return this.time;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.time + ms, callback };
    this.timers.add(timer);
    return () => void this.timers.delete(timer);
  }

  beforePaint(callback: () => void): () => void {
    this.frames.add(callback);
    return () => void this.frames.delete(callback);
  }

  isHidden(): boolean {
    return this.hidden;
  }

  random(): number {
    return 0;
  }

  /** Let time pass; timers call back in their order. */
  pass(ms: number): void {
    const end = this.time + ms;
    for (let next = this.due(end); next !== undefined; next = this.due(end)) {
      this.timers.delete(next);
      this.time = next.at;
      next.callback();
    }
    this.time = end;
  }

  paint(): void {
    const frames = [...this.frames];
    this.frames.clear();
    for (const callback of frames) callback();
  }

  private due(end: number): Timer | undefined {
    return [...this.timers].filter((timer) => timer.at <= end).toSorted((one, other) => one.at - other.at)[0];
  }
}
