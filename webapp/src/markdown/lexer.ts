/** Markdown text to tokens: GitHub's flavour plus math. Raw HTML stays a token; it is shown as text. */
import { Marked, type Links, type MarkedToken } from 'marked';
import { mathSyntax, type MathToken } from './math_syntax';

export type Node = MarkedToken | MathToken;
export type Lexed = { nodes: Node[]; links: Links };

const parser = new Marked({ gfm: true }, mathSyntax);

/** Nested deeper than this a line is shown as it is: the lexer's work grows with the square of the depth. */
const tooDeep = /^(?:(?:[ \t]*>){100}|(?:[ \t]*[-*+] ){100})/m;

/** The tokens of a text; `links` are reference definitions seen before it, the result adds its own. */
export function lex(text: string, links: Links): Lexed {
  if (tooDeep.test(text)) return unlexed(text, links);
  const lexer = lexerWith(links);
  try {
    return { nodes: lexer.lex(text) as Node[], links: lexer.tokens.links };
  } catch {
    return unlexed(text, links);
  }
}

/** The same top-level tokens, but with nothing inside their lines: a third of the work. */
export function lexBlocks(text: string, links: Links): Lexed {
  if (tooDeep.test(text)) return unlexed(text, links);
  const lexer = lexerWith(links);
  try {
    return { nodes: lexer.blockTokens(text, lexer.tokens) as Node[], links: lexer.tokens.links };
  } catch {
    return unlexed(text, links);
  }
}

function lexerWith(links: Links): InstanceType<typeof parser.Lexer> {
  const lexer = new parser.Lexer(parser.defaults);
  lexer.tokens.links = { ...links };
  return lexer;
}

// Also for what overflows the lexer's stack in another way.
function unlexed(text: string, links: Links): Lexed {
  return { nodes: [{ type: 'html', raw: text, text, block: true, pre: false }], links };
}
