/** Short messages below the head line; what they say is also announced by whoever shows them. */

import type { ReactNode } from 'react';
import { dismissToast, useToasts, type Toast } from '../state/ui';
import { threadStrings as strings } from '../thread_strings';
import { Icon } from './icon';

function ToastView({ toast }: { toast: Toast }): ReactNode {
  const { key, text, actionLabel, onAction } = toast;
  const act = (): void => {
    onAction?.();
    dismissToast(key);
  };
  return (
    <li className="toast" data-kind={toast.kind}>
      <span className="grow py-1.5">{text}</span>
      {actionLabel !== null && (
        <button type="button" className="quiet" onClick={act}>
          {actionLabel}
        </button>
      )}
      <button type="button" className="icon-button" aria-label={strings.dismiss} onClick={() => dismissToast(key)}>
        <Icon name="close" />
      </button>
    </li>
  );
}

export function Toasts(): ReactNode {
  const toasts = useToasts();
  return (
    <ul className="toasts">
      {toasts.map((toast) => (
        <ToastView key={toast.key} toast={toast} />
      ))}
    </ul>
  );
}
