// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Stick } from '../../src/scroll/stick';

/** A scroller 100 px high whose content can grow; it clamps its position as a browser does. */
class Page {
  readonly scroller = document.createElement('div');
  readonly content = document.createElement('div');
  height = 1000;
  private top = 0;

  constructor() {
    this.scroller.append(this.content);
    document.body.append(this.scroller);
    const moveTo = (top: number): void => {
      this.top = Math.max(0, Math.min(top, this.height - 100));
    };
    Object.defineProperties(this.scroller, {
      clientHeight: { get: () => 100 },
      scrollHeight: { get: () => this.height },
      scrollTop: { get: () => this.top, set: moveTo },
    });
  }

  /** The reader moves by so many pixels. */
  move(by: number): void {
    this.scroller.scrollTop += by;
    this.scroller.dispatchEvent(new Event('scroll'));
  }

  grow(by: number): void {
    this.height += by;
    this.scroller.scrollTop += 0;
    for (const look of observers) look();
  }

  get distance(): number {
    return this.height - 100 - this.scroller.scrollTop;
  }
}

const observers: (() => void)[] = [];
let page: Page;
let stick: Stick;
let isFar = false;

beforeEach(() => {
  // happy-dom has no layout: sizes change when a test says so.
  vi.stubGlobal('ResizeObserver', class {
    constructor(look: () => void) {
      observers.push(look);
    }
    observe(): void {}
    disconnect(): void {}
  });
  page = new Page();
  isFar = false;
  stick = new Stick(page.scroller, page.content, (value) => (isFar = value));
});

afterEach(() => {
  stick.close();
  observers.length = 0;
  page.scroller.remove();
  vi.unstubAllGlobals();
});

test('it opens at the end and follows what grows', () => {
  page.grow(300);

  expect(page.distance).toBe(0);
});

test('its own scroll events do not let go', () => {
  page.grow(50);
  page.scroller.dispatchEvent(new Event('scroll'));
  page.grow(50);

  expect(page.distance).toBe(0);
});

test('a reader who goes up stays there while the text grows', () => {
  page.move(-40);
  const top = page.scroller.scrollTop;

  page.grow(300);

  expect(page.scroller.scrollTop).toBe(top);
});

test('a wheel turned upward lets go before the position changes', () => {
  page.scroller.dispatchEvent(new WheelEvent('wheel', { deltaY: -10 }));

  expect(stick.isPinned).toBe(false);
});

test('a wheel inside a code block that can still go up does not let go', () => {
  Object.defineProperties(page.content, { scrollTop: { value: 20 }, scrollHeight: { value: 500 }, clientHeight: { value: 100 } });

  page.content.dispatchEvent(new WheelEvent('wheel', { deltaY: -10, bubbles: true }));

  expect(stick.isPinned).toBe(true);
});

test('sideways turning and the tremble of a finger do not let go', () => {
  page.scroller.dispatchEvent(new WheelEvent('wheel', { deltaY: -5, deltaX: 40 }));
  page.move(-2);

  expect(stick.isPinned).toBe(true);
});

test('PageUp in the thread lets go', () => {
  page.scroller.dispatchEvent(new KeyboardEvent('keydown', { key: 'PageUp' }));

  expect(stick.isPinned).toBe(false);
});

test('going back to the end takes hold again', () => {
  page.move(-300);
  page.move(300);

  page.grow(100);

  expect(page.distance).toBe(0);
});

test('content that shrinks is nobody leaving', () => {
  page.grow(-200);
  page.scroller.dispatchEvent(new Event('scroll'));

  page.grow(100);

  expect(page.distance).toBe(0);
});

test('the way back is offered far from the end, and until the end is near', () => {
  page.move(-150);
  const near = isFar;
  page.move(-100);
  const far = isFar;
  page.move(130);
  const coming = isFar;
  page.move(80);

  expect([near, far, coming, isFar]).toEqual([false, true, true, false]);
});

test('the way back leads to the end', () => {
  page.move(-500);

  stick.toEnd();
  page.grow(40);

  expect([page.distance, isFar]).toEqual([0, false]);
});
