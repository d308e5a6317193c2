/** One conversation in the list: its title, what can be done with it, and whether it is answering. */

import { memo, useState, type ReactNode } from 'react';
import type { SessionSummary } from '../api/types';
import { navigate, pathOfSession } from '../router';
import { shellStrings as strings } from '../shell_strings';
import { downloadSession } from '../state/copies';
import { setDrawer } from '../state/panels';
import { deleteSession, pinSession, renameSession } from '../state/sessions';
import { keepFocus } from './focus';
import { Icon } from './icon';
import { Menu, type MenuItem } from './menu';
import { PageLink } from './page_link';

export const SessionRow = memo(function SessionRow({ session, isOpen }: { session: SessionSummary; isOpen: boolean }): ReactNode {
  const [isRenaming, setIsRenaming] = useState(false);
  const title = session.title || strings.untitled;
  const endRenaming = (): void => {
    setIsRenaming(false);
    requestAnimationFrame(() => {
      const link = document.querySelector<HTMLElement>(`[data-session-id="${CSS.escape(session.id)}"] a`);
      if (document.activeElement === document.body) link?.focus();
    });
  };
  if (isRenaming) {
    return (
      <li className="session-row">
        <TitleField title={title} onDone={endRenaming} onSave={(next) => void renameSession(session.id, next)} />
      </li>
    );
  }
  return (
    <li className="session-row" data-session-id={session.id} data-open={isOpen}>
      <PageLink to={pathOfSession(session.id)} className="session-link" isCurrent={isOpen} onFollow={() => setDrawer(false)}>
        <span className="session-title" title={title}>
          <bdi>{title}</bdi>
        </span>
        {session.isRunning && <span className="running-mark" role="img" aria-label={strings.running} />}
      </PageLink>
      <Menu label={strings.actionsFor(title)} items={actionsOn(session, isOpen, () => setIsRenaming(true))}>
        <Icon name="dots" />
      </Menu>
    </li>
  );
});

function actionsOn(session: SessionSummary, isOpen: boolean, rename: () => void): readonly MenuItem[] {
  return [
    { key: 'rename', label: strings.rename, icon: 'edit', act: rename },
    {
      key: 'pin',
      label: session.isPinned ? strings.unpin : strings.pin,
      icon: 'pin',
      act: () => void pinSession(session.id, !session.isPinned),
    },
    {
      key: 'markdown',
      label: strings.exportMarkdown,
      icon: 'download',
      act: () => void downloadSession(session.id, 'markdown'),
    },
    { key: 'json', label: strings.exportJson, icon: 'download', act: () => void downloadSession(session.id, 'json') },
    {
      key: 'delete',
      label: strings.remove,
      icon: 'trash',
      isDangerous: true,
      act: () => {
        if (isOpen) navigate('/');
        deleteSession(session.id);
        keepFocus();
      },
    },
  ];
}

interface TitleFieldProps {
  readonly title: string;
  readonly onSave: (title: string) => void;
  readonly onDone: () => void;
}

// Of the module, so that it is called once and not at each rendering.
function select(field: HTMLInputElement | null): void {
  field?.select();
}

function TitleField({ title, onSave, onDone }: TitleFieldProps): ReactNode {
  const [text, setText] = useState(title);
  const save = (): void => {
    const next = text.trim();
    if (next !== '' && next !== title) onSave(next);
    onDone();
  };
  return (
    <input
      ref={select}
      className="field"
      aria-label={strings.newTitle}
      value={text}
      maxLength={200}
      onChange={(event) => setText(event.target.value)}
      onBlur={save}
      onKeyDown={(event) => {
        if (event.nativeEvent.isComposing) return;
        if (event.key === 'Enter') save();
        if (event.key !== 'Escape') return;
        // Nor is the drawer closed with it.
        event.stopPropagation();
        onDone();
      }}
    />
  );
}
