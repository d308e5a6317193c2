import { describe, expect, test } from 'vitest';
import { Blocks, GROUP_SIZE, type Block } from '../../src/markdown/blocks';
import { corpus } from './markdown_corpus';

/** A clock that stands: nothing takes long. */
const still = (): number => 0;

/** What is drawn of blocks; whether they are open does not count at the end. */
function drawn(groups: Block[][]): unknown[] {
  return groups.flat().map(({ start, node }) => ({ start, node }));
}

describe.each(Object.entries(corpus))('%s', (_name, text) => {
  const whole = drawn(new Blocks(still).read(text, false));

  test('streamed by characters it ends as it would at once', () => {
    const blocks = new Blocks(still);
    for (let end = 1; end <= text.length; end += 1) blocks.read(text.slice(0, end), true);

    expect(drawn(blocks.read(text, false))).toEqual(whole);
  });

  test('cut at every prefix it begins with what was sealed before', () => {
    for (let end = 1; end <= text.length; end += 1) {
      const blocks = new Blocks(still);
      const before = blocks.read(text.slice(0, end), true).flat().filter((block) => !block.isOpen);

      const after = blocks.read(text, true).flat().slice(0, before.length);

      expect(after).toEqual(before);
    }
  });

  test('the live view before the end shows the same blocks, but for references and open marks', () => {
    const blocks = new Blocks(still);
    for (let end = 1; end <= text.length; end += 3) blocks.read(text.slice(0, end), true);

    const live = blocks.read(text, true).flat();

    expect(live.map((block) => block.node.type)).toEqual(whole.map((block) => (block as Block).node.type));
  });
});

test('a group of settled blocks stays the very same array', () => {
  const blocks = new Blocks(still);
  const paragraphs = Array.from({ length: GROUP_SIZE * 2 }, (_each, index) => `Paragraph ${index}.\n\n`).join('');
  const [first] = blocks.read(paragraphs, true);

  const [second] = blocks.read(`${paragraphs}And one more`, true);

  expect(second).toBe(first);
});

test('a text that is not a continuation is read from its beginning', () => {
  const blocks = new Blocks(still);
  blocks.read('# One\n\nTwo\n\nThree', true);

  const groups = blocks.read('Other', true);

  expect(groups.flat().map((block) => block.node.raw)).toEqual(['Other']);
});

test('an unfinished emphasis is shown as emphasis', () => {
  const [block] = new Blocks(still).read('Some **bol', true).flat();

  expect(block?.node.raw).toBe('Some **bol**');
});

test('a line nested thousands deep is shown as it is', () => {
  const text = `${'> '.repeat(20_000)}deep`;

  const [block] = new Blocks(still).read(text, false).flat();

  expect(block?.node.raw).toBe(text);
});

test('a costly tail is left to rest, and is never the end of an answer', () => {
  let time = 0;
  const blocks = new Blocks(() => (time += 10));
  blocks.read('- a', true);

  const resting = blocks.read('- a b', true);
  const { dueIn } = blocks;
  time += dueIn ?? 0;
  const rested = blocks.read('- a b', true);
  const ended = blocks.read('- a b c', false);

  expect([resting, rested, ended].map((groups) => groups.flat()[0]?.node.raw)).toEqual(['- a', '- a b', '- a b c']);
  expect(dueIn).not.toBeNull();
  expect(blocks.dueIn).toBeNull();
});
