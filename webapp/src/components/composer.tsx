/** Where one writes: the draft survives, typing goes on while an answer comes, Escape stops it. */

import { useEffect, useRef, type KeyboardEvent, type ReactNode } from 'react';
import { setDraft, useDraft } from '../state/drafts';
import { openPanel } from '../state/panels';
import { usePrefs } from '../state/prefs';
import { useIsRunning, useThread, type QueuedPrompt, type Thread } from '../state/threads';
import { send, stop, unqueue } from '../state/turns';
import { threadStrings as strings } from '../thread_strings';
import { useSecondsUntil } from './elapsed';
import { keepFocus } from './focus';
import { Icon } from './icon';

/** Escape stops the answer, unless it has something nearer to close. */
function useStopKey(threadId: string, isRunning: boolean): void {
  useEffect(() => {
    if (!isRunning) return undefined;
    const pressed = (event: globalThis.KeyboardEvent): void => {
      if (event.key !== 'Escape' || event.isComposing || event.defaultPrevented) return;
      if (document.querySelector('dialog[open], :popover-open') === null) void stop(threadId);
    };
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  }, [threadId, isRunning]);
}

function Queue({ threadId, prompts }: { threadId: string; prompts: readonly QueuedPrompt[] }): ReactNode {
  if (prompts.length === 0) return null;
  return (
    <ul className="queue" aria-label={strings.queuedPrompts}>
      {prompts.map(({ key, text }) => (
        <li key={key}>
          <span dir="auto">{text}</span>
          <button type="button" className="icon-button" aria-label={strings.unqueue} onClick={() => [unqueue(threadId, key), keepFocus()]}>
            <Icon name="close" />
          </button>
        </li>
      ))}
    </ul>
  );
}

interface ButtonsProps {
  readonly threadId: string;
  readonly isRunning: boolean;
  readonly canSend: boolean;
  readonly hint: string;
}

function Buttons({ threadId, isRunning, canSend, hint }: ButtonsProps): ReactNode {
  return (
    <div className="composer-row">
      <button type="button" className="quiet" onClick={() => openPanel('compare')}>
        <Icon name="columns" />
        {strings.compare}
      </button>
      <span className="hint">{hint}</span>
      {isRunning && (
        <button type="button" className="button" aria-keyshortcuts="Escape" onClick={() => void stop(threadId)}>
          <Icon name="stop" />
          {strings.stop}
        </button>
      )}
      <button
        type="submit"
        className="button button-primary send"
        aria-label={isRunning ? strings.sendNext : strings.send}
        title={isRunning ? strings.sendNext : strings.send}
        disabled={!canSend}
      >
        <Icon name="send" />
      </button>
    </div>
  );
}

/** Whether this key press means: send. A key that only ends a word of an input method does not. */
function isSendKey(event: KeyboardEvent, sendWith: 'enter' | 'mod_enter'): boolean {
  // Safari ends the composition before the key press that ended it, which then has the code 229.
  if (event.key !== 'Enter' || event.nativeEvent.isComposing || event.keyCode === 229) return false;
  const hasMod = event.ctrlKey || event.metaKey;
  return sendWith === 'enter' ? !event.shiftKey && !event.altKey : hasMod;
}

/** Why nothing can be sent, or was not. */
function Refusal({ thread, secondsLeft }: { thread: Thread | undefined; secondsLeft: number }): ReactNode {
  if (secondsLeft > 0) {
    return (
      <p className="notice" data-kind="warning" role="timer">
        {strings.retryAfter(secondsLeft)}
      </p>
    );
  }
  if (thread?.state !== 'ready' || thread.failure === null) return null;
  return (
    <p className="notice" data-kind="error">
      <Icon name="warning" />
      {thread.failure.message}
    </p>
  );
}

interface FieldProps {
  readonly threadId: string;
  readonly draft: string;
  readonly sendWith: 'enter' | 'mod_enter';
  readonly onSend: () => void;
}

function Field({ threadId, draft, sendWith, onSend }: FieldProps): ReactNode {
  const pressed = (event: KeyboardEvent<HTMLTextAreaElement>): void => {
    if (!isSendKey(event, sendWith)) return;
    event.preventDefault();
    onSend();
  };
  return (
    <div className="composer-field" data-text={draft}>
      <textarea
        id="composer"
        rows={1}
        dir="auto"
        aria-label={strings.message}
        placeholder={strings.placeholder}
        value={draft}
        onChange={(event) => setDraft(threadId, event.target.value)}
        onKeyDown={pressed}
      />
    </div>
  );
}

export function Composer({ threadId }: { threadId: string }): ReactNode {
  const draft = useDraft(threadId);
  const isRunning = useIsRunning(threadId);
  const thread = useThread(threadId);
  const { sendWith } = usePrefs();
  const form = useRef<HTMLFormElement>(null);
  const secondsLeft = useSecondsUntil(thread?.retryAt ?? null);
  useStopKey(threadId, isRunning);
  const canSend = draft.trim() !== '' && secondsLeft === 0;
  const submit = (): void => {
    if (canSend) void send(threadId, draft);
    form.current?.querySelector('textarea')?.focus();
  };
  return (
    <form
      ref={form}
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <Refusal thread={thread} secondsLeft={secondsLeft} />
      <Queue threadId={threadId} prompts={thread?.queued ?? []} />
      <div className="composer-box">
        <Field threadId={threadId} draft={draft} sendWith={sendWith} onSend={submit} />
        <Buttons
          threadId={threadId}
          isRunning={isRunning}
          canSend={canSend}
          hint={sendWith === 'enter' ? strings.composerHint : strings.composerHintMod}
        />
      </div>
    </form>
  );
}
