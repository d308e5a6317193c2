/** How sure the model was of each token, with the tokens it might have said instead. */

import { useEffect, useRef, useState, type CSSProperties, type KeyboardEvent, type ReactNode } from 'react';
import type { TokenProbs } from '../api/types';
import { loadProbs, useProbs } from '../state/probs';
import { threadStrings as strings } from '../thread_strings';
import type { Message } from '../tree/message';

const percent = (share: number): string => `${(share * 100).toFixed(share >= 0.1 ? 1 : 2)} %`;

/** A token as one sees it: blanks and line breaks have signs of their own. */
function visible(token: string): string {
  return token === '' ? '∅' : token.replace(/\n/g, '⏎').replace(/\t/g, '⇥').replace(/ /g, '␣');
}

function Row({ name, share, note }: { name: string; share: number; note?: string | undefined }): ReactNode {
  return (
    <tr>
      <th scope="row">{name}</th>
      <td>{percent(share)}</td>
      <td>
        <div className="probs-bar" style={{ width: `${Math.min(share, 1) * 100}%` }} />
        {note !== undefined && <span className="hint">{note}</span>}
      </td>
    </tr>
  );
}

function Alternatives({ token }: { token: TokenProbs }): ReactNode {
  const isAmong = token.top.some((each) => each.token === token.token);
  const rows = isAmong ? token.top : [...token.top, token];
  const rest = 1 - rows.reduce((sum, each) => sum + each.probability, 0);
  return (
    <table className="probs-top" aria-label={strings.alternatives} aria-live="off">
      <tbody>
        {rows.map((each, index) => (
          <Row
            key={index}
            name={visible(each.token)}
            share={each.probability}
            note={each.token === token.token ? strings.chosen : undefined}
          />
        ))}
        {rest > 0.0001 && <Row name={strings.others} share={rest} />}
      </tbody>
    </table>
  );
}

/** The tokens in a row; one of them is in the tab order, the arrow keys move. */
function Tokens({ tokens }: { tokens: readonly TokenProbs[] }): ReactNode {
  const [at, setAt] = useState(0);
  const row = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent): void => {
    const targets: Readonly<Record<string, number>> = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tokens.length - 1 };
    const target = targets[event.key];
    if (target === undefined || tokens[target] === undefined) return;
    event.preventDefault();
    setAt(target);
    row.current?.querySelectorAll('button')[target]?.focus();
  };
  const chosen = tokens[at];
  return (
    <>
      <div ref={row} className="probs-tokens" role="group" aria-label={strings.probabilities} onKeyDown={move}>
        {tokens.map(({ token, probability }, index) => (
          <button
            key={index}
            type="button"
            tabIndex={index === at ? 0 : -1}
            aria-pressed={index === at}
            aria-label={`${token}, ${percent(probability)}`}
            style={{ '--doubt': 1 - probability } as CSSProperties}
            onClick={() => setAt(index)}
          >
            {token.includes('\n') ? `⏎${token}` : token}
          </button>
        ))}
      </div>
      {chosen !== undefined && <Alternatives token={chosen} />}
    </>
  );
}

export function TokenProbsPanel({ threadId, message }: { threadId: string; message: Message }): ReactNode {
  const { state, tokens, failure } = useProbs(message.id);
  useEffect(() => {
    if (state === 'none') void loadProbs(threadId, message.id);
  }, [state, threadId, message.id]);
  return (
    <section className="probs" aria-label={strings.probabilities}>
      {state === 'ready' && tokens.length > 0 && <p className="hint">{strings.probsHint}</p>}
      {state === 'ready' && tokens.length === 0 && <p>{strings.probsEmpty}</p>}
      {(state === 'none' || state === 'loading') && <p className="hint">{strings.probsLoading}</p>}
      {state === 'failed' && <p className="notice" data-kind="error">{`${strings.probsFailed} ${failure?.message ?? ''}`}</p>}
      {tokens.length > 0 && <Tokens tokens={tokens} />}
    </section>
  );
}
