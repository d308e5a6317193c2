/** The parts of an answer: thoughts folded, tools shown with their results, text as Markdown. */

import { memo, useState, type ReactNode } from 'react';
import { DrawnSafely } from '../markdown/drawn_safely';
import { Markdown } from '../markdown/markdown';
import { threadStrings as strings } from '../thread_strings';
import type { Part } from '../tree/message';
import { Icon, type IconName } from './icon';

type PartProps = { part: Part; isOpen: boolean };

interface FoldProps {
  readonly icon: IconName;
  readonly title: string;
  readonly part: string;
  readonly children: () => ReactNode;
}

/** Something folded away, whose inside is made only when it is opened. */
function Fold({ icon, title, part, children }: FoldProps): ReactNode {
  const [isOpen, setIsOpen] = useState(false);
  return (
    <details className="fold" data-part={part} open={isOpen} onToggle={(event) => setIsOpen(event.currentTarget.open)}>
      <summary>
        <Icon name={icon} />
        {title}
        <Icon name="chevron_down" />
      </summary>
      {isOpen && <div className="fold-inside">{children()}</div>}
    </details>
  );
}

/** Arguments as they are meant to be read; what is no JSON as it is. */
function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

export const PartView = memo(({ part, isOpen }: PartProps): ReactNode => {
  switch (part.kind) {
    case 'text':
      return (
        <DrawnSafely source={part.text}>
          <Markdown text={part.text} isLive={isOpen} />
        </DrawnSafely>
      );
    case 'reasoning':
      return (
        <Fold icon="thought" title={isOpen ? strings.thinking : strings.thoughts} part="reasoning">
          {() => <Markdown text={part.text} isLive={isOpen} />}
        </Fold>
      );
    case 'call':
      return (
        <Fold icon="tool" title={strings.toolCall(part.name)} part="call">
          {() => <pre tabIndex={0} aria-label={strings.arguments}>{isOpen ? part.text : pretty(part.text)}</pre>}
        </Fold>
      );
    case 'output':
      return (
        <Fold icon="tool" title={strings.toolResult} part="output">
          {() => <pre tabIndex={0} aria-label={strings.result}>{pretty(part.text)}</pre>}
        </Fold>
      );
  }
});

export function Parts({ parts, isLive }: { parts: readonly Part[]; isLive: boolean }): ReactNode {
  return parts.map((part, index) => <PartView key={index} part={part} isOpen={isLive && index === parts.length - 1} />);
}
