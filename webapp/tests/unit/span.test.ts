import { expect, test } from 'vitest';
import { around, earlier, later, MOST, newest, PAGE, within, type Span } from '../../src/scroll/span';

const COUNT = 1000;

/** The indices of the messages on the page. */
function shown(span: Span, count = COUNT): readonly [number, number] {
  const { first, end } = within(span, count);
  return [first, end ?? count];
}

test('a conversation begins with its newest messages, and takes those that come', () => {
  const span = newest(COUNT);

  expect(shown(span)).toEqual([COUNT - PAGE, COUNT]);
  expect(shown(span, COUNT + 2)).toEqual([COUNT - PAGE, COUNT + 2]);
  expect(shown(newest(3), 3)).toEqual([0, 3]);
});

test('going to the first message and back to the last never has more than some on the page', () => {
  let span = newest(COUNT);
  const lengths: number[] = [];
  const gone = (next: Span): void => {
    const [first, end] = shown(next);
    lengths.push(end - first);
    span = next;
  };

  while (shown(span)[0] > 0) gone(earlier(span, COUNT));
  const atTop = shown(span);
  while (span.end !== null) gone(later(span, COUNT));

  expect(atTop).toEqual([0, MOST]);
  expect(shown(span)).toEqual([COUNT - MOST, COUNT]);
  expect(Math.max(...lengths)).toBe(MOST);
});

test('a message in the middle comes with what is around it only', () => {
  const [first, end] = shown(around(500, COUNT));

  expect(first).toBeLessThan(500);
  expect(end).toBeGreaterThan(500);
  expect(end - first).toBe(PAGE);
  expect(around(2, COUNT).first).toBe(0);
  expect(around(COUNT - 1, COUNT).end).toBeNull();
});

test('a shorter branch is shown at its end', () => {
  expect(shown({ first: 500, end: 512 }, 20)).toEqual([20 - PAGE, 20]);
  expect(shown({ first: 5, end: 512 }, 20)).toEqual([5, 20]);
});
