/** A button with a list of actions or of choices, on the browser's own popover. */

import { useId, useRef, type KeyboardEvent, type ReactNode, type ToggleEvent } from 'react';
import { Icon, type IconName } from './icon';

export interface MenuItem {
  readonly key: string;
  readonly label: string;
  readonly act: () => void;
  readonly icon?: IconName;
  readonly hint?: string | undefined;
  /** Of a choice: whether it is the one. */
  readonly isChecked?: boolean;
  readonly isDisabled?: boolean;
  readonly isDangerous?: boolean;
}

interface MenuProps {
  readonly label: string;
  readonly items: readonly MenuItem[];
  /** What the button shows. */
  readonly children: ReactNode;
  readonly className?: string;
}

const GAP_PX = 4;

export function Menu({ label, items, children, className = 'icon-button' }: MenuProps): ReactNode {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const onToggle = (event: ToggleEvent): void => {
    if (event.newState !== 'open' || button.current === null || list.current === null) return;
    place(list.current, button.current);
    enabledItems(list.current)[0]?.focus();
  };
  return (
    <>
      <button ref={button} type="button" className={className} aria-label={label} aria-haspopup="menu" popoverTarget={id}>
        {children}
      </button>
      <div ref={list} id={id} popover="auto" role="menu" tabIndex={-1} aria-label={label} className="menu" onToggle={onToggle} onKeyDown={move}>
        {items.map((item) => (
          <MenuRow key={item.key} item={item} onDone={() => list.current?.hidePopover()} />
        ))}
      </div>
    </>
  );
}

function MenuRow({ item, onDone }: { item: MenuItem; onDone: () => void }): ReactNode {
  const isChoice = item.isChecked !== undefined;
  return (
    <button
      type="button"
      role={isChoice ? 'menuitemradio' : 'menuitem'}
      aria-checked={item.isChecked}
      disabled={item.isDisabled}
      className={item.isDangerous === true ? 'menu-item danger' : 'menu-item'}
      onClick={() => {
        onDone();
        item.act();
      }}
    >
      {item.icon !== undefined && <Icon name={item.icon} />}
      {isChoice && <span className="menu-check">{item.isChecked === true && <Icon name="check" />}</span>}
      <span className="menu-text">
        {item.label}
        {item.hint !== undefined && <small>{item.hint}</small>}
      </span>
    </button>
  );
}

/** Below the button, or above it where there is no room, and never beyond the window. */
function place(list: HTMLElement, button: HTMLElement): void {
  const anchor = button.getBoundingClientRect();
  const { width, height } = list.getBoundingClientRect();
  const below = anchor.bottom + GAP_PX;
  const top = below + height <= innerHeight ? below : Math.max(GAP_PX, anchor.top - height - GAP_PX);
  list.style.top = `${top}px`;
  list.style.left = `${Math.max(GAP_PX, Math.min(anchor.left, innerWidth - width - GAP_PX))}px`;
}

function enabledItems(list: HTMLElement): readonly HTMLElement[] {
  return [...list.querySelectorAll<HTMLElement>('.menu-item:not(:disabled)')];
}

function move(event: KeyboardEvent<HTMLDivElement>): void {
  const items = enabledItems(event.currentTarget);
  const at = items.findIndex((item) => item === document.activeElement);
  const targets: Readonly<Record<string, number>> = {
    ArrowDown: (at + 1) % items.length,
    ArrowUp: (at + items.length - 1) % items.length,
    Home: 0,
    End: items.length - 1,
  };
  const target = targets[event.key];
  if (event.key === 'Tab') event.currentTarget.hidePopover();
  if (target === undefined) return;
  event.preventDefault();
  items[target]?.focus();
}
