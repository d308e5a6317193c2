/**
 * Math as marked reads it: `$$…$$` and `\[…\]` for a line of its own, `$…$` and `\(…\)` within text.
 *
 * A single `$` is money more often than math, so it counts only when nothing but the formula touches
 * it: no space just inside, no digit or letter just after.
 */
import type { MarkedExtension, TokenizerAndRendererExtension } from 'marked';

export type MathToken = { type: 'math'; raw: string; text: string; isDisplay: boolean };

const displayMath = /^ {0,3}(?:\$\$([\s\S]+?)\$\$|\\\[([\s\S]+?)\\\])[ \t]*(?:\n+|$)/;
const inlineMath = /^(?:\$\$([^$\n]+?)\$\$|\$(?!\s)((?:\\[^\n]|[^$\\\n])+?)(?<!\s)\$(?![\d\w$])|\\\(([\s\S]+?)\\\))/;

function token(match: RegExpExecArray | null, isDisplay: boolean): MathToken | undefined {
  const text = match?.slice(1).find((group) => group !== undefined);
  return match && text?.trim() ? { type: 'math', raw: match[0], text: text.trim(), isDisplay } : undefined;
}

function firstOf(source: string, ...marks: string[]): number | undefined {
  const found = marks.map((mark) => source.indexOf(mark)).filter((index) => index >= 0);
  return found.length > 0 ? Math.min(...found) : undefined;
}

function upTo(source: string, mark: string): string {
  const end = source.indexOf(mark);
  return end < 0 ? source : source.slice(0, end);
}

const block: TokenizerAndRendererExtension = {
  name: 'math',
  level: 'block',
  // Only this paragraph is looked through: the lexer asks for each one, with all that follows it.
  start: (source) => firstOf(upTo(source, '\n\n'), '\n$$', '\n\\['),
  tokenizer: (source) => token(displayMath.exec(source), true),
};

const inline: TokenizerAndRendererExtension = {
  name: 'inlineMath',
  level: 'inline',
  start: (source) => firstOf(source, '$', '\\('),
  tokenizer: (source) => token(inlineMath.exec(source), source.startsWith('$$')),
};

export const mathSyntax: MarkedExtension = { extensions: [block, inline] };
