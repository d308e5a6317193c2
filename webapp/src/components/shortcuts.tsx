/** The keyboard: what each key does, as a hook and as a sheet. */

import { useEffect, type ReactNode } from 'react';
import { settingStrings as strings } from '../setting_strings';
import { closePanel, openPanel } from '../state/panels';
import { Dialog } from './dialog';
import { focusComposer } from './focus';

const isMac = /mac|iphone|ipad/i.test(navigator.userAgent);
const mod = isMac ? '⌘' : 'Ctrl';

const sheet: readonly [keyof typeof strings.shortcutNames, readonly string[]][] = [
  ['newChat', [mod, 'Shift', 'O']],
  ['search', [mod, 'K']],
  ['settings', [mod, ',']],
  ['focusComposer', ['/']],
  ['stop', ['Esc']],
  ['newLine', ['Shift', 'Enter']],
  ['shortcuts', ['?']],
];

/** Listen for the shortcuts of the whole page; `Esc` and `Enter` belong to the composer. */
export function useShortcuts(onNewChat: () => void): void {
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.isComposing || document.querySelector('dialog[open]') !== null) return;
      const act = actionFor(event, onNewChat);
      if (act === undefined) return;
      event.preventDefault();
      act();
    };
    addEventListener('keydown', onKeyDown);
    return () => removeEventListener('keydown', onKeyDown);
  }, [onNewChat]);
}

function actionFor(event: KeyboardEvent, onNewChat: () => void): (() => void) | undefined {
  const key = event.key.toLowerCase();
  if (event.metaKey || event.ctrlKey) {
    if (key === 'o' && event.shiftKey) return onNewChat;
    if (key === 'k') return () => openPanel('search');
    return key === ',' ? () => openPanel('settings') : undefined;
  }
  if (event.altKey || isTyping(event.target)) return undefined;
  if (key === '/') return focusComposer;
  return key === '?' ? () => openPanel('shortcuts') : undefined;
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName));
}

export function ShortcutsDialog(): ReactNode {
  return (
    <Dialog title={strings.shortcuts} onClose={closePanel}>
      <dl className="shortcuts">
        {sheet.map(([name, keys]) => (
          <div key={name}>
            <dt>{strings.shortcutNames[name]}</dt>
            <dd>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
