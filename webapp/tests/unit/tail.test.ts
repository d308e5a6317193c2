import remend from 'remend';
import { describe, expect, test } from 'vitest';
import { lex, type Node } from '../../src/markdown/lexer';
import { Tail } from '../../src/markdown/tail';

const COUNT = 60;
const lines = (line: (number: number) => string): string => Array.from({ length: COUNT }, (_, number) => line(number)).join('');

const texts = {
  list: lines((number) => `- item *${number}* of \`${COUNT}\`\n`),
  loose: lines((number) => `* item ${number}\n\n  more of it\n\n`),
  ordered: lines((number) => `${number + 3}. item\n   - inside ${number}\n`),
  looseAtItsEnd: `${lines((number) => `- item ${number}\n`)}\n- after a blank line\n`,
  anotherList: `${lines((number) => `- item ${number}\n`)}* of another kind\n`,
  table: `| a | b |\n|--:|---|\n${lines((number) => `| ${number} | \`x\` |\n`)}`,
  tableAndText: `| a | b |\n|--:|---|\n${lines((number) => `| ${number} | x |\n`)}\nThe end.`,
};

/** What is drawn of a text that is lexed as a whole. */
function whole(text: string): Node[] {
  return lex(remend(text, { linkMode: 'text-only', htmlTags: false, comparisonOperators: false }), {}).nodes;
}

describe.each(Object.entries(texts))('%s', (_, text) => {
  test('that comes in pieces is at each of them what it is as a whole', () => {
    const tail = new Tail();
    const wrong: number[] = [];

    for (let end = 7; end <= text.length; end += 7) {
      const piece = text.slice(0, end);
      if (JSON.stringify(tail.nodes(piece, {})) !== JSON.stringify(whole(piece))) wrong.push(end);
    }

    expect(wrong).toEqual([]);
  });
});

test('what is settled of a long list is not made again', () => {
  const tail = new Tail();
  tail.nodes(texts.list.slice(0, -40), {});
  const [before] = tail.nodes(texts.list.slice(0, -20), {});
  const [after] = tail.nodes(texts.list, {});

  if (before?.type !== 'list' || after?.type !== 'list') throw new Error('no list');
  expect(after.items[0]).toBe(before.items[0]);
  expect(after.items).toHaveLength(COUNT);
});
