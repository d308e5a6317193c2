/** One conversation, or a new one: its head line, its thread and the message field. */

import { useEffect, type ReactNode } from 'react';
import { shellStrings as strings } from '../shell_strings';
import { openPanel } from '../state/panels';
import { refreshSession, useIsUnlisted, useSessionTitle } from '../state/sessions';
import { useThread } from '../state/threads';
import { openThread } from '../state/turns';
import { Composer } from './composer';
import { focusComposer } from './focus';
import { Icon } from './icon';
import { ModelPicker } from './model_picker';
import { PageHead } from './page_head';
import { Thread } from './thread_view';

interface ChatViewProps {
  readonly threadId: string;
  readonly sessionId: string | null;
  /** What a search has led to. */
  readonly messageId: string | null;
}

export function ChatView({ threadId, sessionId, messageId }: ChatViewProps): ReactNode {
  const thread = useThread(threadId);
  useEffect(() => {
    if (sessionId !== null) void openThread(sessionId);
  }, [sessionId]);
  useListed(threadId, sessionId);
  useComposerFocus(messageId);
  return (
    <main className="chat">
      <ChatHead threadId={threadId} sessionId={sessionId} isMissing={thread?.state === 'missing'} />
      <Thread threadId={threadId} focusMessageId={messageId} />
      {thread?.state !== 'missing' && <Composer threadId={threadId} />}
    </main>
  );
}

/** Ask for a conversation that the list has not come to yet: its name and its settings are told there. */
function useListed(threadId: string, sessionId: string | null): void {
  const isUnlisted = useIsUnlisted(sessionId ?? '');
  // One that was begun on this page is asked for by whoever began it.
  const isWanted = isUnlisted && threadId === sessionId;
  useEffect(() => {
    if (isWanted) void refreshSession(threadId);
  }, [isWanted, threadId]);
}

/** Whoever opens a conversation wants to write; on a phone the keyboard would cover it. */
function useComposerFocus(messageId: string | null): void {
  useEffect(() => {
    const isTaken = messageId !== null || document.querySelector('dialog[open]') !== null;
    if (!isTaken && matchMedia('(pointer: fine)').matches) focusComposer();
  }, [messageId]);
}

interface HeadProps {
  readonly threadId: string;
  readonly sessionId: string | null;
  readonly isMissing: boolean;
}

function ChatHead({ threadId, sessionId, isMissing }: HeadProps): ReactNode {
  const known = useSessionTitle(sessionId);
  const unnamed = isMissing ? strings.appName : sessionId === null ? strings.newChat : strings.untitled;
  const title = known !== '' ? known : unnamed;
  return (
    <PageHead title={title}>
      <ModelPicker threadId={threadId} />
      <button type="button" className="icon-button" aria-label={strings.settings} onClick={() => openPanel('settings')}>
        <Icon name="gear" />
      </button>
    </PageHead>
  );
}
