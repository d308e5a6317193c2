/**
 * A growing answer as a list of top-level blocks, of which only the last ones still change.
 *
 * How it works: where a block may have ended, the whole lines are split into blocks, and every block but
 * the last is *sealed*: its token is kept and never looked at again. What follows, the tail, is lexed anew
 * at each call (`tail.ts`), after `remend` has closed what is still open in it. An open code fence is not lexed at
 * all. When the answer ends, the whole text is split once more, and lexed anew unless the blocks are
 * those that were sealed: so the end never depends on how the text came in.
 *
 * A tail that takes long (one endless paragraph) is not lexed at every call, so that there is time for all
 * else: `dueIn` then says when to ask again.
 */
import type { Links } from 'marked';
import { lex, lexBlocks, type Node } from './lexer';
import { Tail } from './tail';

export type Block = { start: number; node: Node; isOpen: boolean };

/** Blocks a group holds: React then compares one group instead of all its blocks. */
export const GROUP_SIZE = 24;

/** Below this a call is cheap enough for every frame. */
const CHEAP_MS = 6;
const REST_FACTOR = 2;
/** Longer rests would be seen; and a call may only have been slow because the machine was busy. */
const MAX_REST_MS = 100;

/** Where it is worth looking for a block that has ended; most end with a blank line. */
const blockEnd = /\n(?:[ \t]*\n| {0,3}[#`~])/;
const openFence = /^ {0,3}(`{3,}(?!.*`)|~{3,})[ \t]*([^\n]*)\n/;

/** The code of a fence that has begun and not ended, or undefined. */
function unclosedCode(text: string): Node | undefined {
  const opening = openFence.exec(text);
  if (!opening?.[1]) return undefined;
  const fence = opening[1];
  const closing = new RegExp(`\\n {0,3}${fence[0]}{${fence.length},}[ \\t]*(?:\\n|$)`);
  if (closing.test(text.slice(opening[0].length - 1))) return undefined;
  return { type: 'code', raw: text, lang: opening[2]?.trim() ?? '', text: text.slice(opening[0].length) };
}

function isShown(node: Node): boolean {
  return node.type !== 'space' && node.type !== 'def';
}

/** Tokens with the place where each begins, without blank space and definitions. */
function placed(nodes: Node[], start: number, isOpen: boolean): Block[] {
  const blocks: Block[] = [];
  let at = start;
  for (const node of nodes) {
    if (isShown(node)) blocks.push({ start: at, node, isOpen });
    at += node.raw.length;
  }
  return blocks;
}

export class Blocks {
  private readonly now: () => number;
  private text = '';
  private wasLive = true;
  private readonly tail = new Tail();
  private sealed: Block[] = [];
  private sealedEnd = 0;
  private lookedAt = 0;
  private links: Links = {};
  private shown: Block[][] = [];
  private restUntil = 0;
  private isBehind = false;

  /** `now` in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  /** The groups of blocks to show; a group that has not changed is the very same array. */
  read(source: string, isLive: boolean): Block[][] {
    const text = source.includes('\r') ? source.replace(/\r\n?/g, '\n') : source;
    if (text === this.text && isLive === this.wasLive) return this.shown;
    const start = this.now();
    this.isBehind = isLive && text.startsWith(this.text) && start < this.restUntil;
    if (this.isBehind) return this.shown;
    if (!text.startsWith(this.text)) this.reset();
    this.text = text;
    this.wasLive = isLive;
    this.shown = grouped(isLive ? this.liveBlocks() : this.finalBlocks(), this.shown);
    const end = this.now();
    const took = end - start;
    this.restUntil = took > CHEAP_MS ? end + Math.min(took * REST_FACTOR, MAX_REST_MS) : 0;
    return this.shown;
  }

  /** Milliseconds after which to read again, as the last text was not read yet; null: nothing waits. */
  get dueIn(): number | null {
    return this.isBehind ? Math.max(0, this.restUntil - this.now()) : null;
  }

  /** Stands for the reference definitions, which only the whole text has: blocks are drawn again when it changes. */
  get definitions(): string {
    return this.wasLive || !hasLinks(this.links) ? '' : JSON.stringify(this.links);
  }

  private reset(): void {
    this.tail.reset();
    this.sealed = [];
    this.sealedEnd = 0;
    this.lookedAt = 0;
    this.links = {};
    this.shown = [];
  }

  private finalBlocks(): Block[] {
    if (!this.isAsSealed()) this.reset();
    const rest = lex(this.text.slice(this.sealedEnd), {});
    this.links = rest.links;
    this.sealed = [...this.sealed, ...placed(rest.nodes, this.sealedEnd, false)];
    this.sealedEnd = this.text.length;
    return this.sealed;
  }

  /** Whether the whole text has the blocks that were sealed while it came. */
  private isAsSealed(): boolean {
    if (this.sealedEnd === 0) return true;
    const { nodes, links } = lexBlocks(this.text, {});
    return !hasLinks(links) && isBeginning(this.sealed, placed(nodes, 0, false));
  }

  private liveBlocks(): Block[] {
    const lineEnd = this.text.lastIndexOf('\n') + 1;
    if (blockEnd.test(this.text.slice(Math.max(this.lookedAt - 1, 0), lineEnd))) this.seal(lineEnd);
    const tail = this.text.slice(this.sealedEnd);
    const code = unclosedCode(tail);
    const nodes = code ? [code] : this.tail.nodes(tail, this.links);
    return [...this.sealed, ...placed(nodes, this.sealedEnd, true)];
  }

  /** Keep for good what can no longer change: every block before the last one of the whole lines. */
  private seal(lineEnd: number): void {
    this.lookedAt = lineEnd;
    const lines = this.text.slice(this.sealedEnd, lineEnd);
    if (unclosedCode(lines) || this.tail.isOneBlock(lines, this.links)) return;
    const { nodes } = lexBlocks(lines, this.links);
    const settled = nodes.slice(0, Math.max(nodes.findLastIndex(isShown), 0));
    const length = settled.reduce((sum, node) => sum + node.raw.length, 0);
    if (length === 0) return;
    const lexed = lex(lines.slice(0, length), this.links);
    this.links = lexed.links;
    this.sealed.push(...placed(lexed.nodes, this.sealedEnd, false));
    this.sealedEnd += length;
    this.tail.reset();
  }
}

function hasLinks(links: Links): boolean {
  return Object.keys(links).length > 0;
}

function isBeginning(some: Block[], all: Block[]): boolean {
  return some.every(({ start, node }, index) => {
    const other = all[index];
    return other?.start === start && other.node.type === node.type && other.node.raw === node.raw;
  });
}

function grouped(blocks: Block[], before: Block[][]): Block[][] {
  const groups: Block[][] = [];
  for (let at = 0; at < blocks.length; at += GROUP_SIZE) {
    const group = blocks.slice(at, at + GROUP_SIZE);
    const old = before[groups.length];
    const isSame = old?.length === group.length && old.every((block, index) => block === group[index]);
    groups.push(isSame ? old : group);
  }
  return groups;
}
