/** Blocks: paragraphs, headings, lists, tables, quotes, code. Each is drawn again only when its text changes. */
import type { Tokens } from 'marked';
import { memo, type ReactNode } from 'react';
import { threadStrings as strings } from '../thread_strings';
import { CodeBlock } from './code';
import { Inline } from './inline';
import type { Node } from './lexer';
import { Formula } from './math';

/** Deeper nesting is shown as text: no reader follows it, and an endless one would exhaust the stack. */
const MAX_DEPTH = 16;

type BlockProps = { node: Node; isOpen: boolean; depth: number; definitions: string };
type Context = Omit<BlockProps, 'node'>;

/** As the first letter has it, for a whole block: what is nested in one goes with it. */
function directionAt(depth: number): 'auto' | undefined {
  return depth === 0 ? 'auto' : undefined;
}

function isSame(before: BlockProps, after: BlockProps): boolean {
  return (
    before.node.raw === after.node.raw &&
    before.node.type === after.node.type &&
    before.isOpen === after.isOpen &&
    before.definitions === after.definitions
  );
}

function Nested({ nodes, context }: { nodes: Node[]; context: Context }): ReactNode {
  const { isOpen, definitions } = context;
  const depth = context.depth + 1;
  return nodes.map((node, index) => (
    <BlockView
      key={index}
      node={node}
      isOpen={isOpen && index === nodes.length - 1}
      depth={depth}
      definitions={definitions}
    />
  ));
}

type ItemProps = { item: Tokens.ListItem; context: Context; isLoose: boolean };

const Item = memo(
  ({ item, context }: ItemProps) => (
    <li className={item.task ? 'task' : undefined}>
      <Nested nodes={item.tokens as Node[]} context={context} />
    </li>
  ),
  (before, after) =>
    before.item.raw === after.item.raw &&
    before.isLoose === after.isLoose &&
    before.context.isOpen === after.context.isOpen &&
    before.context.definitions === after.context.definitions,
);

function List({ token, context }: { token: Tokens.List; context: Context }): ReactNode {
  const items = token.items.map((item, index) => (
    <Item
      key={index}
      item={item}
      isLoose={item.loose}
      context={{ ...context, isOpen: context.isOpen && index === token.items.length - 1 }}
    />
  ));
  const dir = directionAt(context.depth);
  if (!token.ordered) return <ul dir={dir}>{items}</ul>;
  return (
    <ol dir={dir} start={token.start === '' ? 1 : token.start}>
      {items}
    </ol>
  );
}

type RowProps = { cells: Tokens.TableCell[]; definitions: string };

const Row = memo(
  ({ cells }: RowProps) => (
    <tr>
      {cells.map((cell, index) => {
        const Cell = cell.header ? 'th' : 'td';
        return (
          <Cell key={index} data-align={cell.align ?? undefined} scope={cell.header ? 'col' : undefined}>
            <Inline nodes={cell.tokens as Node[]} />
          </Cell>
        );
      })}
    </tr>
  ),
  (before, after) =>
    before.definitions === after.definitions &&
    before.cells.length === after.cells.length &&
    before.cells.every((cell, index) => cell.text === after.cells[index]?.text && cell.align === after.cells[index]?.align),
);

function Table({ token, context }: { token: Tokens.Table; context: Context }): ReactNode {
  const { definitions } = context;
  return (
    <div className="table-frame" role="region" aria-label={strings.table} tabIndex={0}>
      <table dir={directionAt(context.depth)}>
        <thead>
          <Row cells={token.header} definitions={definitions} />
        </thead>
        <tbody>
          {token.rows.map((cells, index) => (
            <Row key={index} cells={cells} definitions={definitions} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Heading({ token, depth }: { token: Tokens.Heading; depth: number }): ReactNode {
  // A message stands below the page's own headings.
  const Level = `h${Math.min(token.depth + 2, 6)}` as 'h3' | 'h4' | 'h5' | 'h6';
  return (
    <Level data-depth={token.depth} dir={directionAt(depth)}>
      <Inline nodes={token.tokens as Node[]} />
    </Level>
  );
}

function draw(node: Node, context: Context): ReactNode {
  switch (node.type) {
    case 'paragraph':
      return (
        <p dir={directionAt(context.depth)}>
          <Inline nodes={node.tokens as Node[]} />
        </p>
      );
    case 'heading':
      return <Heading token={node} depth={context.depth} />;
    case 'list':
      return <List token={node} context={context} />;
    case 'code':
      return <CodeBlock code={node.text} language={(node.lang ?? '').split(/\s/)[0] ?? ''} isOpen={context.isOpen} />;
    case 'table':
      return <Table token={node} context={context} />;
    case 'blockquote':
      return (
        <blockquote dir={directionAt(context.depth)}>
          <Nested nodes={node.tokens as Node[]} context={context} />
        </blockquote>
      );
    case 'hr':
      return <hr />;
    case 'math':
      return <Formula text={node.text} isDisplay={node.isDisplay} />;
    case 'html':
      return <p className="literal">{node.raw.trimEnd()}</p>;
    case 'space':
    case 'def':
      return null;
    default:
      return <Inline nodes={[node]} />;
  }
}

export const BlockView = memo(({ node, ...context }: BlockProps) => {
  if (context.depth > MAX_DEPTH) return <p className="literal">{node.raw}</p>;
  return draw(node, context);
}, isSame);
