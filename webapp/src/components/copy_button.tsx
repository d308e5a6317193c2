/** A button that copies a text, byte for byte, and says so. */
import { useEffect, useState, type ReactNode } from 'react';
import { announce, showToast } from '../state/ui';
import { threadStrings as strings } from '../thread_strings';
import { copyText } from './clipboard';
import { Icon } from './icon';

const SHOWN_MS = 1500;

export function CopyButton({ text, label }: { text: string; label: string }): ReactNode {
  const [isCopied, setIsCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return undefined;
    const timer = setTimeout(() => setIsCopied(false), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [isCopied]);
  const copy = async (): Promise<void> => {
    if (!(await copyText(text))) {
      showToast(strings.notCopied, { kind: 'error' });
      return;
    }
    setIsCopied(true);
    announce(strings.copied);
  };
  return (
    <button type="button" className="icon-button" aria-label={label} title={label} onClick={() => void copy()}>
      <Icon name={isCopied ? 'check' : 'copy'} />
    </button>
  );
}
