/** The conversation in view: its messages, what is compared, and the ways to its end and to a word in it. */

import { useCallback, useEffect, useRef, useState, type ReactNode } from 'react';
import { useSpan } from '../scroll/use_span';
import { useStick } from '../scroll/use_stick';
import { useTarget } from '../scroll/use_target';
import { useComparison, usePath, useThread, type Thread as OpenThread } from '../state/threads';
import { openThread, showSibling } from '../state/turns';
import { threadStrings as strings } from '../thread_strings';
import type { Message } from '../tree/message';
import { siblingsOf } from '../tree/tree';
import { Comparison } from './comparison';
import { FindBar } from './find_bar';
import { Icon } from './icon';
import { MessageView } from './message_view';

interface ThreadProps {
  readonly threadId: string;
  /** A message to bring into view: what a search has found. */
  readonly focusMessageId: string | null;
}

export function Thread({ threadId, focusMessageId }: ThreadProps): ReactNode {
  const thread = useThread(threadId);
  if (thread === undefined || thread.state === 'ready') {
    return thread === undefined ? null : <Conversation key={threadId} thread={thread} focusMessageId={focusMessageId} />;
  }
  return (
    <div className="thread-place">
      <div className="welcome grow" role="status">
        <Standing thread={thread} />
      </div>
    </div>
  );
}

function Standing({ thread }: { thread: OpenThread }): ReactNode {
  if (thread.state === 'loading') return <p>{strings.loading}</p>;
  if (thread.state === 'missing') {
    return (
      <>
        <h2>{strings.missing}</h2>
        <p>{strings.missingHint}</p>
      </>
    );
  }
  const { sessionId, failure } = thread;
  return (
    <>
      <h2>{strings.failedToLoad}</h2>
      <p>{failure?.message}</p>
      {sessionId !== null && (
        <button type="button" className="button" onClick={() => void openThread(sessionId)}>
          {strings.tryAgain}
        </button>
      )}
    </>
  );
}

/** Go to the end whenever this person has just said something. */
function useEndOnSend(path: readonly Message[], toEnd: () => void): void {
  const last = path.at(-1);
  const sent = useRef<string>(null);
  useEffect(() => {
    if (last?.status !== 'sending' || sent.current === last.key) return;
    sent.current = last.key;
    toEnd();
  }, [last, toEnd]);
}

/** Open by Ctrl+F; pressed again in the field it is the browser's own. */
function useFindBar(): { isOpen: boolean; close: () => void } {
  const [isOpen, setIsOpen] = useState(false);
  const opener = useRef<Element | null>(null);
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      const isFind = event.key === 'f' && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey;
      if (!isFind || document.activeElement?.closest('.find-bar, dialog')) return;
      event.preventDefault();
      opener.current = document.activeElement;
      setIsOpen(true);
    };
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  }, []);
  const close = useCallback(() => {
    setIsOpen(false);
    if (opener.current instanceof HTMLElement) opener.current.focus();
  }, []);
  return { isOpen, close };
}

function useFocusedMessage(thread: OpenThread, id: string | null, show: (id: string, hasFocus: boolean) => void): void {
  const { id: threadId, tree } = thread;
  const isKnown = id !== null && tree.messages.has(id);
  useEffect(() => {
    if (id === null || !isKnown) return;
    // It may lie on another branch than the one in view.
    void showSibling(threadId, id);
    show(id, true);
  }, [threadId, id, isKnown, show]);
}

function Conversation({ thread, focusMessageId }: { thread: OpenThread; focusMessageId: string | null }): ReactNode {
  const path = usePath(thread.id);
  const compared = useComparison(thread.id);
  const sticking = useStick();
  const { scroller, content, stick, isFar } = sticking;
  const shown = useSpan(path.length, sticking);
  const { first, end, top, bottom, toEnd } = shown;
  const show = useTarget(path, shown, scroller, stick);
  const find = useFindBar();
  useEndOnSend(path, toEnd);
  useFocusedMessage(thread, focusMessageId, show);
  const messages = path.slice(first, end).filter((message) => !compared.includes(message));
  return (
    <div className="thread-place">
      {find.isOpen && <FindBar path={path} onPage={messages} onShow={show} onClose={find.close} />}
      <div ref={scroller} className="thread" role="log" aria-live="off" aria-label={strings.thread} tabIndex={0}>
        <div ref={content} className="thread-content" data-comparing={compared.length > 0}>
          {path.length === 0 && <Welcome />}
          <div ref={top} />
          {messages.map((message) => (
            <MessageView
              key={message.key}
              threadId={thread.id}
              message={message}
              siblings={siblingsOf(thread.tree, message.id)}
              isLast={message === path.at(-1)}
            />
          ))}
          <div ref={bottom} />
          {compared.length > 0 && <Comparison threadId={thread.id} answers={compared} />}
        </div>
      </div>
      {isFar && <ToEnd onClick={toEnd} />}
    </div>
  );
}

function ToEnd({ onClick }: { onClick: () => void }): ReactNode {
  return (
    <button type="button" className="icon-button to-end" aria-label={strings.toEnd} title={strings.toEnd} onClick={onClick}>
      <Icon name="down" />
    </button>
  );
}

function Welcome(): ReactNode {
  return (
    <div className="welcome">
      <h2>{strings.welcome}</h2>
      <p>{strings.welcomeHint}</p>
    </div>
  );
}
