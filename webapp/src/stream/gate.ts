/**
 * Decides when what has come is shown: once a frame.
 *
 * A hidden page has no frames: there it is every 500 ms, or as soon as 256 characters wait; and a
 * page whose frames stall (a busy tab, a window behind others) falls back to the same 500 ms.
 */

import type { Clock } from './clock';

const HIDDEN_MS = 500;
const HIDDEN_CHARS = 256;

export class PublishGate {
  private readonly clock: Clock;
  private readonly publish: () => void;
  private cancelFrame: (() => void) | null = null;
  private cancelTimer: (() => void) | null = null;
  private waitingChars = 0;

  constructor(clock: Clock, publish: () => void) {
    this.clock = clock;
    this.publish = publish;
  }

  /** This many characters more wait to be shown. */
  noted(numChars: number): void {
    this.waitingChars += numChars;
    if (this.clock.isHidden() && this.waitingChars >= HIDDEN_CHARS) {
      this.open();
      return;
    }
    this.cancelTimer ??= this.clock.after(HIDDEN_MS, this.open);
    if (!this.clock.isHidden()) this.cancelFrame ??= this.clock.beforePaint(this.open);
  }

  /** Show it now. */
  readonly open = (): void => {
    this.cancelFrame?.();
    this.cancelTimer?.();
    this.cancelFrame = this.cancelTimer = null;
    this.waitingChars = 0;
    this.publish();
  };
}
