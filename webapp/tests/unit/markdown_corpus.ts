/** Texts that exercise every kind of block and the places where streaming goes wrong. */
export const corpus: Readonly<Record<string, string>> = {
  paragraphs: 'One *two* **three** `four` ~~five~~.\nSame paragraph.\n\nNext one\\\nafter a break &amp; &#8211; é😀.\n',
  headings: '# One\n\nText\n## Two\nmore\n\nSetext\n======\n\nend',
  lists: '- a\n- b\n  - c\n\n    d\n- e\n\n1. one\n2. two\n\ntext\n\n* [ ] open\n* [x] done\n',
  code: 'Before\n```python\ndef f(x):\n    return x  # *no* emphasis\n\n\nprint(f(1))\n```\nafter\n\n~~~\n```\nstill code\n~~~\nx `` ` `` y\n',
  openCode: 'Look:\n\n```js\nconst a = 1;\n\nconst b',
  nestedCode: '1. First\n\n   ```sh\n   ls -l\n   ```\n\n2. Second\n',
  table: '| a | b |\n|:--|--:|\n| 1 | `x|y` |\n| **2** | 3 |\n# not a row\n',
  quote: '> quoted\n> - list\n>\n> more\n\nend\n',
  links: 'See [a](https://example.com "t"), <https://b.example>, www.c.example and [ref][1].\n\n![pic](https://d.example/x.png)\n\n[1]: https://e.example\n',
  math: 'Sum $a_1 + b^2$ costs $5 and $6.\n\n$$\n\\int_0^1 x\\,dx\n$$\n\nAlso \\(x*y*z\\) and\n\n\\[\na \\\\ b\n\\]\n\nend\n',
  html: '<script>alert(1)</script>\n\n<div onclick="x()">\nhi\n</div>\n\na <b>bold</b> <img src=x onerror=alert(1)> <br> c\n',
  carriage: 'a\r\n\r\n- b\r\n- c\r\n',
  rules: 'a\n\n---\n\nb\n***\nc\n',
};
