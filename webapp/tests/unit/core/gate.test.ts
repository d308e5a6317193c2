// @vitest-environment node
import { expect, test } from 'vitest';
import { PublishGate } from '../../../src/stream/gate';
import { FakeClock } from './fake_clock';

function gated(): { clock: FakeClock; gate: PublishGate; count: () => number } {
  const clock = new FakeClock();
  let published = 0;
  const gate = new PublishGate(clock, () => {
    published += 1;
  });
  return { clock, gate, count: () => published };
}

test('what comes within one frame is shown once', () => {
  const { clock, gate, count } = gated();

  for (let number = 0; number < 50; number += 1) gate.noted(10);
  clock.paint();
  clock.paint();

  expect(count()).toBe(1);
});

test('a hidden page shows what has come every half second', () => {
  const { clock, gate, count } = gated();
  clock.hidden = true;

  gate.noted(10);
  clock.pass(499);
  expect(count()).toBe(0);
  clock.pass(1);

  expect(count()).toBe(1);
});

test('a hidden page does not let more than 256 characters wait', () => {
  const { clock, gate, count } = gated();
  clock.hidden = true;

  gate.noted(255);
  gate.noted(1);

  expect(count()).toBe(1);
  clock.pass(1000);
  expect(count()).toBe(1);
});

test('a page whose frames do not come is shown all the same', () => {
  const { clock, gate, count } = gated();

  gate.noted(1);
  clock.pass(500);

  expect(count()).toBe(1);
});
