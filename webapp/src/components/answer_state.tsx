/** How an answer stands: waiting with the time it takes, or what became of it. */

import { useEffect, type ReactNode } from 'react';
import { prepareHighlight } from '../markdown/highlight';
import type { LiveAnswer } from '../stream/growing';
import { threadStrings as strings } from '../thread_strings';
import { isRunning, type Message } from '../tree/message';
import { useSecondsSince } from './elapsed';
import { Icon } from './icon';

const phases = { sending: strings.sending, queued: strings.queued, waiting: strings.waiting, writing: strings.waiting };

export function Waiting({ live }: { live: LiveAnswer }): ReactNode {
  const seconds = useSecondsSince(live.askedAt);
  // There is time now; at the first code block there is none.
  useEffect(prepareHighlight, []);
  return (
    <p className="waiting" data-part="waiting">
      <span className="pulse" />
      {phases[live.phase]}
      {seconds > 0 && <span>{strings.elapsed(seconds)}</span>}
    </p>
  );
}

type Notice = { kind: 'error' | 'warning' | 'info'; text: string };

function incompleteNotice(reason: string | null): Notice {
  if (reason === 'interrupted') return { kind: 'warning', text: strings.interrupted };
  if (reason === 'server_shutdown') return { kind: 'warning', text: strings.shutDown };
  if (reason === 'max_output_tokens') return { kind: 'info', text: strings.cutByLength };
  return { kind: 'warning', text: strings.incomplete };
}

/** What there is to say about a message that has ended. */
export function noticesOf(message: Message): readonly Notice[] {
  const { status, failure, isSaved, numDropped } = message;
  const notices: Notice[] = [];
  if (status === 'cancelled') notices.push({ kind: 'info', text: strings.stopped });
  if (status === 'incomplete') notices.push(incompleteNotice(message.reason));
  if (status === 'failed') notices.push({ kind: 'error', text: `${strings.failed} ${failure?.message ?? ''}`.trim() });
  if (numDropped > 0) notices.push({ kind: 'info', text: strings.dropped(numDropped) });
  if (!isSaved && !isRunning(message)) notices.push({ kind: 'warning', text: strings.notSaved });
  return notices;
}

export function Notices({ message }: { message: Message }): ReactNode {
  return noticesOf(message).map(({ kind, text }) => (
    <p key={text} className="notice" data-kind={kind}>
      {kind !== 'info' && <Icon name="warning" />}
      {text}
    </p>
  ));
}
