/** A link within the page; with a modifier key the browser opens it as any other. */

import type { MouseEvent, ReactNode } from 'react';
import { navigate } from '../router';

interface PageLinkProps {
  readonly to: string;
  readonly children: ReactNode;
  readonly className?: string;
  readonly isCurrent?: boolean;
  readonly onFollow?: () => void;
}

export function PageLink({ to, children, className, isCurrent = false, onFollow }: PageLinkProps): ReactNode {
  const follow = (event: MouseEvent): void => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(to);
    onFollow?.();
  };
  return (
    <a href={to} className={className} aria-current={isCurrent ? 'page' : undefined} onClick={follow}>
      {children}
    </a>
  );
}
