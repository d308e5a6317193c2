/** Editing a message: what is sent becomes another version beside the old one. */

import { useEffect, useRef, useState, type KeyboardEvent, type ReactNode, type RefObject } from 'react';
import { edit, editAnswer } from '../state/turns';
import { threadStrings as strings } from '../thread_strings';
import { textOf, type Message } from '../tree/message';

interface EditFormProps {
  readonly threadId: string;
  readonly message: Message;
  readonly onClose: () => void;
}

/** A text area that has the focus, its caret at the end. */
function useFocusAtEnd(): RefObject<HTMLTextAreaElement | null> {
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    field.current?.focus();
    field.current?.setSelectionRange(field.current.value.length, field.current.value.length);
  }, []);
  return field;
}

function EditButtons({ label, canSend, onClose }: { label: string; canSend: boolean; onClose: () => void }): ReactNode {
  return (
    <div className="edit-buttons">
      <span className="hint">{strings.editHint}</span>
      <button type="button" className="button" onClick={onClose}>
        {strings.cancel}
      </button>
      <button type="submit" className="button button-primary" disabled={!canSend}>
        {label}
      </button>
    </div>
  );
}

export function EditForm({ threadId, message, onClose }: EditFormProps): ReactNode {
  const [text, setText] = useState(() => textOf(message));
  const field = useFocusAtEnd();
  const isAnswer = message.role === 'assistant';
  const canSend = text.trim() !== '' && text !== textOf(message);
  const save = (): void => {
    if (!canSend) return;
    onClose();
    // The form's place is taken by another version.
    document.querySelector<HTMLElement>('#composer')?.focus();
    void (isAnswer ? editAnswer : edit)(threadId, message.id, text);
  };
  const pressed = (event: KeyboardEvent): void => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) save();
    if (event.key !== 'Escape') return;
    // The same key would stop an answer.
    event.preventDefault();
    onClose();
  };
  return (
    <form
      className="edit-form"
      onSubmit={(event) => {
        event.preventDefault();
        save();
      }}
    >
      <textarea
        ref={field}
        className="field"
        dir="auto"
        aria-label={strings.editing}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={pressed}
      />
      <EditButtons label={isAnswer ? strings.save : strings.sendEdited} canSend={canSend} onClose={onClose} />
    </form>
  );
}
