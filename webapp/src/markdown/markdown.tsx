/** An answer's text as elements. While `isLive` it may grow with every frame. */
import { memo, useEffect, useReducer, useState, type ReactNode } from 'react';
import { BlockView } from './block';
import { Blocks, type Block } from './blocks';

type GroupProps = { blocks: Block[]; definitions: string };

const Group = memo(({ blocks, definitions }: GroupProps) => (
  <div className="blocks">
    {blocks.map(({ start, node, isOpen }) => (
      <BlockView key={start} node={node} isOpen={isOpen} depth={0} definitions={definitions} />
    ))}
  </div>
));

export function Markdown({ text, isLive }: { text: string; isLive: boolean }): ReactNode {
  const [blocks] = useState(() => new Blocks());
  const groups = blocks.read(text, isLive);
  const { definitions, dueIn } = blocks;
  const [, drawAgain] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    if (dueIn === null) return undefined;
    const timer = setTimeout(drawAgain, dueIn);
    return () => clearTimeout(timer);
  }, [dueIn]);
  return (
    <div className="markdown" data-part="text">
      {groups.map((group, index) => (
        <Group key={index} blocks={group} definitions={definitions} />
      ))}
    </div>
  );
}
