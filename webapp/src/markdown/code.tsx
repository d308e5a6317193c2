/** Code in an answer: its language, a button to wrap long lines, one to copy, and the code itself. */
import type { Element, Root, Text } from 'hast';
import { memo, useState, type ReactNode } from 'react';
import { CopyButton } from '../components/copy_button';
import { threadStrings as strings } from '../thread_strings';
import { useHighlight } from './highlight';

/** Code grows in pieces of this many lines, so that a growing block touches only its last piece. */
const LINES_A_PIECE = 60;

function coloured(nodes: (Root | Element)['children']): ReactNode[] {
  return nodes.map((node, index) => {
    if (node.type === 'text') return (node as Text).value;
    if (node.type !== 'element') return null;
    const names = node.properties['className'];
    return (
      <span key={index} className={Array.isArray(names) ? names.join(' ') : undefined}>
        {coloured(node.children)}
      </span>
    );
  });
}

const Piece = memo(({ text }: { text: string }) => <span>{text}</span>);

function pieces(code: string): string[] {
  const found: string[] = [];
  let start = 0;
  let lines = 0;
  for (let end = code.indexOf('\n'); end >= 0; end = code.indexOf('\n', end + 1)) {
    lines += 1;
    if (lines % LINES_A_PIECE !== 0) continue;
    found.push(code.slice(start, end + 1));
    start = end + 1;
  }
  found.push(code.slice(start));
  return found;
}

type CodeBlockProps = { code: string; language: string; isOpen: boolean };

export function CodeBlock({ code, language, isOpen }: CodeBlockProps): ReactNode {
  const [isWrapped, setIsWrapped] = useState(false);
  const tree = useHighlight(language, code, isOpen);
  return (
    <figure className="code" dir="ltr" data-wrapped={isWrapped}>
      <figcaption>
        <span className="code-language">{language || strings.plainText}</span>
        <button type="button" className="quiet" aria-pressed={isWrapped} onClick={() => setIsWrapped(!isWrapped)}>
          {strings.wrapLines}
        </button>
        <CopyButton text={code} label={strings.copyCode} />
      </figcaption>
      {/* Focusable, so that the keyboard can scroll it. */}
      <pre tabIndex={0} aria-label={strings.codeIn(language || strings.plainText)}>
        <code>{tree ? coloured(tree.children) : pieces(code).map((text, at) => <Piece key={at} text={text} />)}</code>
      </pre>
    </figure>
  );
}
