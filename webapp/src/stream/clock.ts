/** Time and timers, handed in so that tests set the pace. */

export interface Clock {
  /** Milliseconds; only differences mean something. */
  now(): number;
  /** Call back once after this time; the result takes it back. */
  after(ms: number, callback: () => void): () => void;
  /** Call back once before the next painting; the result takes it back. A hidden page paints nothing. */
  beforePaint(callback: () => void): () => void;
  isHidden(): boolean;
  /** From 0 up to, not including, 1. */
  random(): number;
}

export const browserClock: Clock = {
  now: () => Date.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => {
      clearTimeout(timer);
    };
  },
  beforePaint(callback) {
    const frame = requestAnimationFrame(callback);
    return () => {
      cancelAnimationFrame(frame);
    };
  },
  isHidden: () => document.visibilityState === 'hidden',
  random: () => Math.random(),
};
