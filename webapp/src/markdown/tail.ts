/**
 * The end of a growing text, which may be one list or table that goes on for very long.
 *
 * How it works: of such a block all but the last few items or rows can no longer change. They are
 * kept as they are, and only what follows them is lexed at each call. Whether a list is loose is
 * decided by all of its items: when what follows says otherwise, everything is lexed anew.
 */
import type { Links, Tokens } from 'marked';
import remend from 'remend';
import { lex, lexBlocks, type Node } from './lexer';

/** Items or rows that may still change: what comes can belong to the last one. */
const OPEN = 3;
/** This many are settled at once. */
const PORTION = 16;

const remendOptions = { linkMode: 'text-only', htmlTags: false, comparisonOperators: false } as const;

function lexed(text: string, links: Links): Node[] {
  return lex(remend(text, remendOptions), links).nodes;
}

/** What is settled of the block that the tail begins with: its beginning, `length` characters of the tail. */
interface Settled {
  readonly block: Tokens.List | Tokens.Table;
  readonly length: number;
  /** Stands before what follows, so that it is read as more of the same: a table's head. */
  readonly opening: string;
}

export class Tail {
  private settled: Settled | undefined;

  /** The tail begins elsewhere now. */
  reset(): void {
    this.settled = undefined;
  }

  nodes(tail: string, links: Links): Node[] {
    const nodes = this.continued(tail, links) ?? lexed(tail, links);
    const [block] = nodes;
    if (nodes.length === 1 && block?.type === 'list') this.settleItems(tail, block);
    if (nodes.length === 1 && block?.type === 'table') this.settleRows(tail, block);
    return nodes;
  }

  /** Whether all of these lines are of the block that goes on for so long. */
  isOneBlock(lines: string, links: Links): boolean {
    if (this.settled === undefined) return false;
    const { nodes } = lexBlocks(this.settled.opening + lines.slice(this.settled.length), links);
    return nodes.filter((node) => node.type !== 'space').length === 1 && nodes[0]?.type === this.settled.block.type;
  }

  private continued(tail: string, links: Links): Node[] | undefined {
    if (this.settled === undefined) return undefined;
    const { block, length, opening } = this.settled;
    const [more, ...others] = lexed(opening + tail.slice(length), links);
    const raw = tail.slice(0, length) + (more?.raw.slice(opening.length) ?? '');
    if (block.type === 'list' && more?.type === 'list' && more.ordered === block.ordered && more.loose === block.loose) {
      return [{ ...block, raw, items: [...block.items, ...more.items] }, ...others];
    }
    if (block.type === 'table' && more?.type === 'table') {
      return [{ ...block, raw, rows: [...block.rows, ...more.rows] }, ...others];
    }
    this.reset();
    return undefined;
  }

  private settleItems(tail: string, list: Tokens.List): void {
    const known = this.settled?.block.type === 'list' ? this.settled.block.items.length : 0;
    const count = list.items.length - OPEN;
    if (count - known < PORTION) return;
    const from = this.settled?.length ?? 0;
    const raw = list.items.slice(known, count).map((item) => item.raw).join('');
    if (!tail.startsWith(raw, from)) return;
    this.settled = { block: { ...list, items: list.items.slice(0, count) }, length: from + raw.length, opening: '' };
  }

  private settleRows(tail: string, table: Tokens.Table): void {
    const known = this.settled?.block.type === 'table' ? this.settled.block.rows.length : 0;
    const count = table.rows.length - OPEN;
    if (count - known < PORTION) return;
    const opening = this.settled?.opening ?? tail.slice(0, afterLines(tail, 0, 2));
    const length = afterLines(tail, this.settled?.length ?? opening.length, count - known);
    this.settled = { block: { ...table, rows: table.rows.slice(0, count) }, length, opening };
  }
}

/** Where so many lines end that begin at `from`. */
function afterLines(text: string, from: number, count: number): number {
  let at = from;
  for (let left = count; left > 0; left -= 1) at = text.indexOf('\n', at) + 1;
  return at;
}
