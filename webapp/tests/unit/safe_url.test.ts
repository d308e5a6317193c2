import { describe, expect, test } from 'vitest';
import { decodeEntities } from '../../src/markdown/entities';
import { safeImage, safeLink } from '../../src/markdown/safe_url';

describe('an address that is no link', () => {
  test.each([
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)',
    ' \u0001javascript:alert(1)',
    'java\nscript:alert(1)',
    'java\tscript:alert(1)',
    'data:text/html,<script>alert(1)</script>',
    'vbscript:msgbox(1)',
    'file:///etc/passwd',
    'blob:https://a.example/1',
    '//evil.example/x',
    '/v1/models',
    'relative.html',
    '#top',
    'https://',
    '',
  ])('%j', (written) => {
    expect(safeLink(written)).toBeUndefined();
    expect(safeImage(written)).toBeUndefined();
  });
});

test('a link tells the host it really leads to', () => {
  expect(safeLink('https://good.example@evil.example/a')).toEqual({
    href: 'https://good.example@evil.example/a',
    host: 'evil.example',
  });
  expect(safeLink('https://gооd.example/')?.host).toMatch(/^xn--/);
  expect(safeLink('mailto:a@b.example')?.host).toBe('a@b.example');
});

test('an image with its bytes in the text is shown, a drawing with scripts is not', () => {
  expect(safeImage('data:image/png;base64,iVBORw0KGgo=')?.isRemote).toBe(false);
  expect(safeImage('data:image/svg+xml;base64,PHN2Zz4=')).toBeUndefined();
  expect(safeImage('https://d.example/x.png')).toEqual({
    src: 'https://d.example/x.png',
    host: 'd.example',
    isRemote: true,
  });
});

test.each([
  ['a &amp; b &lt;i&gt; &#233; &#x1F600;', 'a & b <i> é 😀'],
  ['&constructor; &nothing; & &#0; &#xD800;', '&constructor; &nothing; & &#0; &#xD800;'],
])('the character references of %j are read', (written, read) => {
  expect(decodeEntities(written)).toBe(read);
});
