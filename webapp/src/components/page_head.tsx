/** The line above every view: where one is, and whether the server is there. */

import { useEffect, type ReactNode } from 'react';
import { shellStrings as strings } from '../shell_strings';
import { setDrawer, useIsDrawerOpen } from '../state/panels';
import { ConnectionBadge } from './connection_badge';
import { Icon } from './icon';

export function PageHead({ title, children }: { title: string; children?: ReactNode }): ReactNode {
  useEffect(() => {
    document.title = `${title} · ${strings.appName}`;
  }, [title]);
  return (
    <>
      <header className="chat-head">
        <DrawerButton />
        <h1 title={title}>
          <bdi>{title}</bdi>
        </h1>
        {children}
      </header>
      <ConnectionBadge />
    </>
  );
}

function DrawerButton(): ReactNode {
  const isOpen = useIsDrawerOpen();
  return (
    <button type="button" className="icon-button drawer-only" aria-label={strings.openSidebar} aria-expanded={isOpen} onClick={() => setDrawer(true)}>
      <Icon name="menu" />
    </button>
  );
}
