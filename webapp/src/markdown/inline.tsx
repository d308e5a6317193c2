/** What stands within a line: emphasis, links, code, formulas. */
import type { Tokens } from 'marked';
import type { ReactNode } from 'react';
import { threadStrings as strings } from '../thread_strings';
import { decodeEntities } from './entities';
import type { Node } from './lexer';
import { Formula } from './math';
import { safeImage, safeLink } from './safe_url';

/** A link that says whom it leads to, unless its text is the address itself. */
function Link({ token }: { token: Tokens.Link }): ReactNode {
  const link = safeLink(decodeEntities(token.href));
  const text = <Inline nodes={token.tokens as Node[]} />;
  if (!link) return text;
  const isBare = [link.href, link.href.replace(/\/$/, '')].includes(token.text);
  return (
    <>
      <a href={link.href} title={token.title ?? link.href} target="_blank" rel="noopener noreferrer">
        {text}
      </a>
      {isBare ? null : <span className="link-host"> ({link.host})</span>}
    </>
  );
}

/** A remote image is a link: the page itself never asks another host for anything. */
function Image({ token }: { token: Tokens.Image }): ReactNode {
  const image = safeImage(decodeEntities(token.href));
  const alt = decodeEntities(token.text);
  if (!image) return alt;
  if (!image.isRemote) return <img src={image.src} alt={alt} />;
  return (
    <a className="remote-image" href={image.src} target="_blank" rel="noopener noreferrer" referrerPolicy="no-referrer">
      <span>{alt || strings.image}</span>
      <span className="link-host">{strings.openImageAt(image.host)}</span>
    </a>
  );
}

function InlineNode({ node }: { node: Node }): ReactNode {
  switch (node.type) {
    case 'strong':
      return <strong>{inside(node)}</strong>;
    case 'em':
      return <em>{inside(node)}</em>;
    case 'del':
      return <del>{inside(node)}</del>;
    case 'codespan':
      return <code>{node.text}</code>;
    case 'br':
      return <br />;
    case 'link':
      return <Link token={node} />;
    case 'image':
      return <Image token={node} />;
    case 'math':
      return <Formula text={node.text} isDisplay={node.isDisplay} />;
    case 'checkbox':
      return <input type="checkbox" checked={node.checked} readOnly tabIndex={-1} aria-label={strings.taskDone} />;
    case 'text':
      return node.tokens ? inside(node) : decodeEntities(node.text);
    case 'html':
      // Models break lines in table cells this way; all other HTML is shown as it is written.
      return /^<br ?\/?>$/i.test(node.raw) ? <br /> : node.raw;
    default:
      return 'text' in node ? node.text : node.raw;
  }
}

function inside(node: { tokens?: unknown[] | undefined }): ReactNode {
  return <Inline nodes={(node.tokens ?? []) as Node[]} />;
}

export function Inline({ nodes }: { nodes: Node[] }): ReactNode {
  return nodes.map((node, index) => <InlineNode key={index} node={node} />);
}
