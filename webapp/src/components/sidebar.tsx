/** The list of conversations, and the ways to everything else. */

import { useEffect, useRef, type ReactNode } from 'react';
import { shellStrings as strings } from '../shell_strings';
import { openPanel, setDrawer, useIsDrawerOpen, type Panel } from '../state/panels';
import { Icon, type IconName } from './icon';
import { ImportButton } from './import_button';
import { PageLink } from './page_link';
import { SessionList } from './session_list';

interface SidebarProps {
  readonly openSessionId: string | null;
  readonly isAtUsage: boolean;
  readonly onNewChat: () => void;
}

export function Sidebar({ openSessionId, isAtUsage, onNewChat }: SidebarProps): ReactNode {
  const isDrawerOpen = useIsDrawerOpen();
  const ref = useRef<HTMLElement>(null);
  useDrawerFocus(ref, isDrawerOpen);
  return (
    <>
      <div className="drawer-shade" data-open={isDrawerOpen} onPointerDown={() => setDrawer(false)} />
      <nav ref={ref} className="sidebar" data-open={isDrawerOpen} aria-label={strings.sessions}>
        <header className="sidebar-head">
          <PageLink to="/" className="brand" onFollow={onNewChat}>
            <img src="/assets/icon.svg" alt="" width="26" height="26" />
            {strings.appName}
          </PageLink>
          <button type="button" className="icon-button drawer-only" aria-label={strings.closeSidebar} onClick={() => setDrawer(false)}>
            <Icon name="close" />
          </button>
        </header>
        <div className="sidebar-actions">
          <PageLink to="/" className="sidebar-action" onFollow={onNewChat}>
            <Icon name="plus" />
            {strings.newChat}
          </PageLink>
          <PanelButton panel="search" icon="find" label={strings.search} />
        </div>
        <SessionList openSessionId={openSessionId} />
        <Foot isAtUsage={isAtUsage} />
      </nav>
    </>
  );
}

function Foot({ isAtUsage }: { isAtUsage: boolean }): ReactNode {
  return (
    <footer className="sidebar-foot">
      <ImportButton />
      <PageLink to="/usage" className="sidebar-action" isCurrent={isAtUsage} onFollow={() => setDrawer(false)}>
        <Icon name="bars" />
        {strings.usage}
      </PageLink>
      <PanelButton panel="settings" icon="gear" label={strings.settings} />
      <PanelButton panel="shortcuts" icon="keyboard" label={strings.shortcuts} />
    </footer>
  );
}

function PanelButton({ panel, icon, label }: { panel: Panel; icon: IconName; label: string }): ReactNode {
  return (
    <button type="button" className="sidebar-action" onClick={() => openPanel(panel)}>
      <Icon name={icon} />
      {label}
    </button>
  );
}

/** On a phone: the drawer takes the focus when it opens, and gives it back. */
function useDrawerFocus(ref: { readonly current: HTMLElement | null }, isOpen: boolean): void {
  useEffect(() => {
    if (!isOpen) return undefined;
    const opener = document.activeElement;
    ref.current?.querySelector<HTMLElement>('.drawer-only')?.focus();
    const onKeyDown = (event: KeyboardEvent): void => {
      if (event.key === 'Escape' && document.querySelector('dialog[open], :popover-open') === null) setDrawer(false);
    };
    addEventListener('keydown', onKeyDown);
    return () => {
      removeEventListener('keydown', onKeyDown);
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
    };
  }, [isOpen, ref]);
}
