/** The one place that is read aloud: the start and the end of an answer, never its text. */

import type { ReactNode } from 'react';
import { useAnnouncement } from '../state/ui';

export function Announcer(): ReactNode {
  const text = useAnnouncement();
  return (
    <div role="status" aria-live="polite" className="visually-hidden">
      {text}
    </div>
  );
}
