/** Below a message: its versions, what one can do with it, its figures. */

import type { ReactNode } from 'react';
import { navigate, pathOfSession } from '../router';
import { useCanDo } from '../state/models';
import { forkAt, regenerate, showSibling } from '../state/turns';
import { threadStrings as strings } from '../thread_strings';
import { textOf, type Message } from '../tree/message';
import { CopyButton } from './copy_button';
import { keepFocus } from './focus';
import { Icon, type IconName } from './icon';

interface ActionProps {
  readonly icon: IconName;
  readonly label: string;
  readonly act: () => void;
  readonly isPressed?: boolean;
  readonly isDisabled?: boolean;
}

function Action({ icon, label, act, isPressed, isDisabled = false }: ActionProps): ReactNode {
  return (
    <button
      type="button"
      className="icon-button"
      aria-label={label}
      title={label}
      aria-pressed={isPressed}
      disabled={isDisabled}
      onClick={act}
    >
      <Icon name={icon} />
    </button>
  );
}

interface PagerProps {
  readonly threadId: string;
  readonly message: Message;
  /** All versions of the message, the oldest first. */
  readonly siblings: readonly string[];
}

/** Another version has taken the place of the one whose button was pressed: go on with its buttons. */
function focusPagerOf(id: string, label: string): void {
  if (document.activeElement !== document.body) return;
  const pager = document.querySelector(`[data-message-id="${CSS.escape(id)}"] .pager`);
  // At the first and at the last version one of the two is disabled.
  const same = pager?.querySelector<HTMLElement>(`[aria-label="${label}"]:enabled`);
  (same ?? pager?.querySelector<HTMLElement>(':enabled'))?.focus();
}

/** Which version of the message is shown, with the way to the others. */
function Pager({ threadId, message, siblings }: PagerProps): ReactNode {
  const at = siblings.indexOf(message.id);
  if (siblings.length < 2 || at < 0) return null;
  const show = (id: string | undefined, label: string): void => {
    if (id === undefined) return;
    void showSibling(threadId, id);
    requestAnimationFrame(() => focusPagerOf(id, label));
  };
  return (
    <span className="pager" role="group" aria-label={strings.versions}>
      <Action
        icon="chevron_left"
        label={strings.earlierVersion}
        isDisabled={at === 0}
        act={() => show(siblings[at - 1], strings.earlierVersion)}
      />
      <span aria-label={strings.versionOf(at + 1, siblings.length)} role="img">
        {at + 1}/{siblings.length}
      </span>
      <Action
        icon="chevron_right"
        label={strings.laterVersion}
        isDisabled={at === siblings.length - 1}
        act={() => show(siblings[at + 1], strings.laterVersion)}
      />
    </span>
  );
}

function answerAgain(threadId: string, messageId: string): void {
  void regenerate(threadId, messageId);
  keepFocus();
}

async function fork(threadId: string, messageId: string): Promise<void> {
  const sessionId = await forkAt(threadId, messageId);
  if (sessionId !== null) navigate(pathOfSession(sessionId));
}

interface FootProps extends PagerProps {
  readonly onEdit: () => void;
  readonly onProbs: () => void;
  readonly areProbsOpen: boolean;
  readonly children?: ReactNode;
}

export function MessageFoot({ threadId, message, siblings, onEdit, onProbs, areProbsOpen, children }: FootProps): ReactNode {
  const isAnswer = message.role === 'assistant';
  const hasProbs = useCanDo(message.model, 'log_probs');
  return (
    <footer className="message-foot">
      <Pager threadId={threadId} message={message} siblings={siblings} />
      <span className="actions">
        <CopyButton text={textOf(message)} label={strings.copy} />
        <Action icon="edit" label={strings.edit} act={onEdit} />
        {isAnswer && (
          <>
            <Action icon="refresh" label={strings.regenerate} act={() => answerAgain(threadId, message.id)} />
            {hasProbs && <Action icon="bars" label={strings.probabilities} isPressed={areProbsOpen} act={onProbs} />}
          </>
        )}
        <Action icon="branch" label={strings.fork} act={() => void fork(threadId, message.id)} />
      </span>
      {children}
    </footer>
  );
}
