/** Character references in text (`&amp;`, `&#8211;`), without asking the browser to parse HTML. */

// Those that models write; any other stays as it is written.
const named: Readonly<Record<string, string>> = {
  amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0", ensp: "\u2002", emsp: "\u2003",
  thinsp: '\u2009', copy: '©', reg: '®', trade: '™', deg: '°', plusmn: '±', times: '×', divide: '÷',
  middot: '·', bull: '•', hellip: '…', ndash: '–', mdash: '—', lsquo: '‘', rsquo: '’', ldquo: '“',
  rdquo: '”', laquo: '«', raquo: '»', larr: '←', rarr: '→', uarr: '↑', darr: '↓', harr: '↔',
  rArr: '⇒', hArr: '⇔', ne: '≠', le: '≤', ge: '≥', asymp: '≈', infin: '∞', radic: '√', sum: '∑',
  micro: 'µ', euro: '€', pound: '£', yen: '¥', cent: '¢', sect: '§', para: '¶', check: '✓', frac12: '½',
};

function character(code: number, written: string): string {
  const isScalar = code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  return isScalar ? String.fromCodePoint(code) : written;
}

export function decodeEntities(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&(?:#(\d{1,7})|#[xX]([\da-fA-F]{1,6})|(\w{2,8}));/g, (written, decimal, hex, name) => {
    if (decimal) return character(Number.parseInt(decimal, 10), written);
    if (hex) return character(Number.parseInt(hex, 16), written);
    return Object.hasOwn(named, name) ? (named[name] ?? written) : written;
  });
}
