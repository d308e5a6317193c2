/** A dialog over the page: the browser keeps the focus in it, and gives it back to its opener. */

import { useLayoutEffect, useRef, type PointerEvent, type ReactNode } from 'react';
import { shellStrings } from '../shell_strings';
import { Icon } from './icon';

interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
  readonly className?: string;
}

function isWithin({ clientX, clientY }: PointerEvent, { left, right, top, bottom }: DOMRect): boolean {
  return clientX >= left && clientX <= right && clientY >= top && clientY <= bottom;
}

export function Dialog({ title, onClose, children, className = '' }: DialogProps): ReactNode {
  const ref = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const dialog = ref.current;
    const opener = document.activeElement;
    dialog?.showModal();
    // The browser would take the button that closes it.
    dialog?.querySelector<HTMLElement>('input, textarea, .dialog-body > :not(.dialog-head) button')?.focus();
    return () => {
      // Before it leaves the page: only a dialog that is closed gives the focus back.
      dialog?.close();
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      className={`dialog ${className}`}
      aria-label={title}
      onCancel={(event) => {
        if (event.target !== ref.current) return;
        event.preventDefault();
        onClose();
      }}
      onPointerDown={(event) => {
        // The dialog's own box holds its content and its scroll bar: what is left is the backdrop.
        if (event.target === ref.current && !isWithin(event, ref.current.getBoundingClientRect())) onClose();
      }}
    >
      <div className="dialog-body">
        <header className="dialog-head">
          <h2>{title}</h2>
          <button type="button" className="icon-button" aria-label={shellStrings.close} onClick={onClose}>
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
