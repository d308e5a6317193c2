/** One message of the thread. Only the one that grows is drawn again while an answer comes. */

import { memo, useRef, useState, type ReactNode } from 'react';
import { useLive } from '../state/live';
import { threadStrings as strings } from '../thread_strings';
import { isRunning, textOf, type Message } from '../tree/message';
import { Parts } from './answer_parts';
import { Notices, Waiting } from './answer_state';
import { EditForm } from './edit_form';
import { MessageFoot } from './message_foot';
import { LiveStats, Stats } from './stats';
import { TokenProbsPanel } from './token_probs';

interface MessageViewProps {
  readonly threadId: string;
  readonly message: Message;
  readonly siblings: readonly string[];
  readonly isLast: boolean;
}

/** What an answer says, growing or at its end. */
export function AnswerBody({ message }: { message: Message }): ReactNode {
  const live = useLive(message.key);
  const parts = live?.parts ?? message.parts;
  const isEmpty = parts.every((part) => part.text === '' && part.kind !== 'call');
  return (
    <>
      <Parts parts={parts} isLive={live !== null} />
      {live !== null && isEmpty && <Waiting live={live} />}
      {live === null && isEmpty && message.status === 'completed' && <p className="hint">{strings.empty}</p>}
      {live === null && <Notices message={message} />}
      {live !== null && <LiveStats live={live} />}
    </>
  );
}

function Said({ message }: { message: Message }): ReactNode {
  if (message.role === 'user') return <div className="said" dir="auto">{textOf(message)}</div>;
  const title = message.role === 'system' ? strings.system : strings.toolResult;
  return (
    <details className="fold">
      <summary>{title}</summary>
      <div className="fold-inside">
        <pre tabIndex={0} aria-label={title}>
          {message.parts.map((part) => part.text).join('\n')}
        </pre>
      </div>
    </details>
  );
}

const names = { user: strings.you, system: strings.system, tool: strings.toolResult };

function nameOf(message: Message): string {
  return message.role === 'assistant' ? (message.model ?? strings.assistant) : names[message.role];
}

function Content({ threadId, message, siblings }: MessageViewProps): ReactNode {
  const [isEditing, setIsEditing] = useState(false);
  const [areProbsOpen, setAreProbsOpen] = useState(false);
  const place = useRef<HTMLDivElement>(null);
  const closeForm = (): void => {
    setIsEditing(false);
    // The focus goes back to where the form was opened, if nothing else took it: the button is there after this render.
    requestAnimationFrame(() => {
      if (document.activeElement !== document.body) return;
      place.current?.querySelector<HTMLElement>(`[aria-label="${strings.edit}"]`)?.focus();
    });
  };
  if (message.isDeleted) return <p className="hint">{strings.deleted}</p>;
  if (isEditing) return <EditForm threadId={threadId} message={message} onClose={closeForm} />;
  const isAnswer = message.role === 'assistant';
  const isDone = !isRunning(message);
  return (
    <>
      {isAnswer ? <AnswerBody message={message} /> : <Said message={message} />}
      <div ref={place}>
        {(isDone || !isAnswer) && (
          <MessageFoot
            threadId={threadId}
            message={message}
            siblings={siblings}
            areProbsOpen={areProbsOpen}
            onEdit={() => setIsEditing(true)}
            onProbs={() => setAreProbsOpen(!areProbsOpen)}
          >
            {isAnswer && <Stats message={message} />}
          </MessageFoot>
        )}
      </div>
      {areProbsOpen && <TokenProbsPanel threadId={threadId} message={message} />}
    </>
  );
}

export const MessageView = memo((props: MessageViewProps): ReactNode => {
  const { message, isLast } = props;
  return (
    <article
      className="message"
      data-role={message.role}
      data-message-id={message.id}
      data-status={message.status}
      data-last={isLast}
      aria-busy={message.role === 'assistant' && isRunning(message)}
      tabIndex={-1}
    >
      <h3 className="visually-hidden">{nameOf(message)}</h3>
      <Content {...props} />
    </article>
  );
}, (before, after) =>
  before.message === after.message &&
  before.threadId === after.threadId &&
  before.isLast === after.isLast &&
  before.siblings.join() === after.siblings.join());
