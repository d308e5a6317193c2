/**
 * Shows the newest messages first and older ones as the reader comes near them: a session of a
 * thousand messages opens like a short one.
 */

import { useCallback, useEffect, useLayoutEffect, useRef, useState, type RefObject } from 'react';
import type { Stick } from './stick';

const PAGE = 30;
/** How far ahead of the reader older messages are made. */
const AHEAD = '800px 0px 0px 0px';

export interface Older {
  /** The messages before this index are not on the page. */
  readonly first: number;
  /** Stands above the first message on the page. */
  readonly sentinel: RefObject<HTMLDivElement | null>;
  /** Put the message with this index, and some before it, on the page. */
  readonly reveal: (index: number) => void;
}

type Anchor = { element: HTMLElement; top: number };

export function useOlder(
  count: number,
  scroller: RefObject<HTMLElement | null>,
  stick: RefObject<Stick | null>,
): Older {
  const [numShown, setNumShown] = useState(PAGE);
  const sentinel = useRef<HTMLDivElement>(null);
  const anchor = useRef<Anchor>(null);
  const first = Math.max(0, count - numShown);

  useLayoutEffect(() => {
    if (anchor.current) stick.current?.keep(anchor.current.element, anchor.current.top);
    anchor.current = null;
  });

  useEffect(() => {
    if (first === 0 || !sentinel.current) return undefined;
    const observer = new IntersectionObserver(
      (entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        const element = sentinel.current?.nextElementSibling;
        if (element instanceof HTMLElement) anchor.current = { element, top: element.getBoundingClientRect().top };
        setNumShown((shown) => shown + PAGE);
      },
      { root: scroller.current, rootMargin: AHEAD },
    );
    observer.observe(sentinel.current);
    return () => observer.disconnect();
  }, [first, scroller]);

  const reveal = useCallback(
    (index: number) => setNumShown((shown) => Math.max(shown, count - index + PAGE)),
    [count],
  );
  return { first, sentinel, reveal };
}
