/**
 * Keeps a growing thread at its end while the reader is there, and lets go the moment the reader leaves.
 *
 * How it works: every position this file writes is remembered. A scroll event at that position is ours;
 * any other is the reader's. Upward by the reader lets go (a wheel turned upward at once, before the
 * scroll event comes); reaching the end by the reader's own scrolling takes hold again. Shrinking
 * content also moves the position up, but leaves it at the end: that is nobody leaving. No timers.
 * While newer messages are not on the page (`use_span.ts`) its end is not the thread's: nothing holds.
 */

/** Upward drift that is no decision: rounding at fractional zoom, a finger's tremble. */
const DRIFT_PX = 3;
const AT_END_PX = 8;
/** The button comes at the first distance and goes at the second, so that it does not flicker. */
const BUTTON_SHOWS_PX = 200;
const BUTTON_HIDES_PX = 60;

export class Stick {
  isPinned = true;
  private isFar = false;
  private isPartial = false;
  private last = 0;
  private drift = 0;
  private readonly scroller: HTMLElement;
  private readonly onFar: (isFar: boolean) => void;
  private readonly observer: ResizeObserver;
  private readonly stop = new AbortController();

  /** `onFar` is told when the button that leads back to the end should come or go. */
  constructor(scroller: HTMLElement, content: HTMLElement, onFar: (isFar: boolean) => void) {
    this.scroller = scroller;
    this.onFar = onFar;
    const { signal } = this.stop;
    scroller.addEventListener('scroll', () => this.scrolled(), { passive: true, signal });
    scroller.addEventListener('wheel', (event) => this.wheeled(event), { passive: true, signal });
    scroller.addEventListener('keydown', (event) => this.pressed(event), { signal });
    this.observer = new ResizeObserver(() => this.follow());
    this.observer.observe(scroller);
    this.observer.observe(content);
    this.toEnd();
  }

  close(): void {
    this.stop.abort();
    this.observer.disconnect();
  }

  /** Go to the end and stay there. */
  toEnd(): void {
    this.isPinned = true;
    this.follow();
  }

  /** Let go: somebody looks at another place of the thread. */
  release(): void {
    this.isPinned = false;
  }

  /** Whether newer messages are missing below. */
  setPartial(isPartial: boolean): void {
    this.isPartial = isPartial;
    if (isPartial) this.release();
    this.follow();
  }

  /** Content above has grown by so much: let what the reader sees stand where it stood. */
  moveBy(pixels: number): void {
    if (Math.abs(pixels) >= 1) this.write(this.scroller.scrollTop + pixels);
  }

  private distance(): number {
    return this.scroller.scrollHeight - this.scroller.clientHeight - this.scroller.scrollTop;
  }

  private follow(): void {
    if (this.isPinned && this.distance() > 0) this.write(this.scroller.scrollHeight);
    this.tell();
  }

  private write(top: number): void {
    this.scroller.scrollTop = top;
    // Read back: the browser clamps and rounds it.
    this.last = this.scroller.scrollTop;
    this.drift = 0;
  }

  private scrolled(): void {
    const top = this.scroller.scrollTop;
    const moved = top - this.last;
    this.last = top;
    if (Math.abs(moved) < 1) return;
    const isAtEnd = this.distance() <= AT_END_PX;
    this.drift = moved < 0 ? this.drift + moved : 0;
    if (this.drift < -DRIFT_PX && !isAtEnd) this.isPinned = false;
    else if (moved > 0 && isAtEnd && !this.isPartial) this.isPinned = true;
    this.tell();
  }

  private wheeled(event: WheelEvent): void {
    const isUpward = event.deltaY < 0 && Math.abs(event.deltaY) > Math.abs(event.deltaX);
    if (isUpward && !event.ctrlKey && !this.isTakenInside(event.target)) this.leave();
  }

  private pressed(event: KeyboardEvent): void {
    if (event.target instanceof HTMLTextAreaElement || this.isTakenInside(event.target)) return;
    if (['PageUp', 'Home', 'ArrowUp'].includes(event.key)) this.leave();
  }

  /** The reader is about to go up, if there is anything above. */
  private leave(): void {
    if (this.scroller.scrollTop > 0) this.isPinned = false;
  }

  /** Whether something inside the thread, a long code block say, scrolls up instead of the thread. */
  private isTakenInside(target: EventTarget | null): boolean {
    let element = target instanceof Element ? target : null;
    while (element && element !== this.scroller) {
      if (element.scrollTop > 0 && element.scrollHeight > element.clientHeight) return true;
      element = element.parentElement;
    }
    return false;
  }

  private tell(): void {
    const farPx = this.isFar ? BUTTON_HIDES_PX : BUTTON_SHOWS_PX;
    const isFar = this.isPartial || (!this.isPinned && this.distance() > farPx);
    if (isFar === this.isFar) return;
    this.isFar = isFar;
    this.onFar(isFar);
  }
}
