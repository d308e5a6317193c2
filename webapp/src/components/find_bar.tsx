/** Finds words in the messages of this chat, also in those that are not on the page yet. */

import { useDeferredValue, useEffect, useMemo, useState, type KeyboardEvent, type ReactNode } from 'react';
import { threadStrings as strings } from '../thread_strings';
import { textOf, type Message } from '../tree/message';
import { Icon } from './icon';

interface FindBarProps {
  readonly path: readonly Message[];
  /** Those of them that are on the page: when others are, their words are marked. */
  readonly onPage: readonly Message[];
  /** Bring the message with this id into view. */
  readonly onShow: (id: string, hasFocus: boolean) => void;
  readonly onClose: () => void;
}

/** Mark every place of `words` on the page, without touching its elements. */
function mark(words: string): void {
  if (!('highlights' in CSS)) return;
  CSS.highlights.delete('found');
  const thread = document.querySelector('.thread');
  if (words === '' || thread === null) return;
  const ranges: Range[] = [];
  const texts = document.createTreeWalker(thread, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node !== null; node = texts.nextNode()) {
    const text = (node.nodeValue ?? '').toLowerCase();
    for (let at = text.indexOf(words); at >= 0; at = text.indexOf(words, at + words.length)) {
      const range = new Range();
      range.setStart(node, at);
      range.setEnd(node, Math.min(at + words.length, node.nodeValue?.length ?? 0));
      ranges.push(range);
    }
  }
  if (ranges.length > 0) CSS.highlights.set('found', new Highlight(...ranges));
}

/** The messages that hold the words, the newest first, and which of them is looked at. */
function useMatches(path: readonly Message[], words: string): { ids: readonly string[]; at: number; move: (by: number) => void } {
  const ids = useMemo(() => {
    if (words === '') return [];
    const found = path.filter((message) => textOf(message).toLowerCase().includes(words));
    return found.map((message) => message.id).toReversed();
  }, [path, words]);
  const [place, setPlace] = useState({ words, at: 0 });
  const at = place.words === words ? Math.min(place.at, Math.max(ids.length - 1, 0)) : 0;
  const move = (by: number): void => setPlace({ words, at: ids.length === 0 ? 0 : (at + by + ids.length) % ids.length });
  return { ids, at, move };
}

export function FindBar({ path, onPage, onShow, onClose }: FindBarProps): ReactNode {
  const [typed, setTyped] = useState('');
  const words = useDeferredValue(typed.trim().toLowerCase());
  const { ids, at, move } = useMatches(path, words);
  const shown = ids[at];
  useEffect(() => {
    if (shown !== undefined) onShow(shown, false);
  }, [shown, onShow]);
  useEffect(() => {
    if (onPage.length > 0) mark(words);
    return () => mark('');
  }, [words, onPage]);
  const pressed = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') {
      event.preventDefault();
      onClose();
    }
    if (event.key === 'Enter') move(event.shiftKey ? -1 : 1);
  };
  return (
    <div className="find-bar" role="search" onKeyDown={pressed}>
      <input
        className="field"
        type="search"
        aria-label={strings.find}
        placeholder={strings.find}
        value={typed}
        autoFocus
        onChange={(event) => setTyped(event.target.value)}
      />
      <output>{words !== '' && (ids.length === 0 ? strings.findNone : strings.findPlace(at + 1, ids.length))}</output>
      <button type="button" className="icon-button" aria-label={strings.findPrevious} onClick={() => move(-1)}>
        <Icon name="up" />
      </button>
      <button type="button" className="icon-button" aria-label={strings.findNext} onClick={() => move(1)}>
        <Icon name="down" />
      </button>
      <button type="button" className="icon-button" aria-label={strings.close} onClick={onClose}>
        <Icon name="close" />
      </button>
    </div>
  );
}
