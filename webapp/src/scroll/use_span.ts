/**
 * Keeps on the page what is near the reader: a session of a thousand messages opens, scrolls and
 * takes keys like a short one.
 */

import { startTransition, useCallback, useEffect, useLayoutEffect, useRef, useState, type RefObject } from 'react';
import { around, earlier, later, MOST, newest, within, type Span } from './span';
import type { Sticking } from './use_stick';

/** How far ahead of the reader messages are made. */
const AHEAD = '1200px 0px';

export interface Shown {
  /** The messages from `first` up to, not including, `end` are on the page. */
  readonly first: number;
  readonly end: number;
  /** Stand before the first and after the last message on the page. */
  readonly top: RefObject<HTMLDivElement | null>;
  readonly bottom: RefObject<HTMLDivElement | null>;
  /** Put the message with this index, and some before it, on the page. */
  readonly reveal: (index: number) => void;
  readonly toEnd: () => void;
}

type Anchor = { element: Element; offset: number };

const offsetOf = (element: Element, content: Element | null): number =>
  element.getBoundingClientRect().top - (content?.getBoundingClientRect().top ?? 0);

type Grow = (near: Element, next: (span: Span, count: number) => Span) => void;

/** Tell when the reader comes near one of the ends of what is on the page, with the message there. */
function useNearness({ first, end }: Span, scroller: Sticking['scroller'], grow: Grow): Pick<Shown, 'top' | 'bottom'> {
  const top = useRef<HTMLDivElement>(null);
  const bottom = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const observer = new IntersectionObserver(
      (entries) => {
        const near = entries.find((entry) => entry.isIntersecting)?.target;
        if (near === undefined) return;
        const isTop = near === top.current;
        const message = isTop ? near.nextElementSibling : near.previousElementSibling;
        if (message !== null) grow(message, isTop ? earlier : later);
      },
      { root: scroller.current, rootMargin: AHEAD },
    );
    // Made anew when the span has grown, so that what is still near is told again.
    if (first > 0 && top.current) observer.observe(top.current);
    if (end !== null && bottom.current) observer.observe(bottom.current);
    return () => observer.disconnect();
  }, [first, end, scroller, grow]);
  return { top, bottom };
}

export function useSpan(count: number, { scroller, content, stick }: Sticking): Shown {
  const [span, setSpan] = useState(() => newest(count));
  const { first, end } = within(span, count);
  const anchor = useRef<Anchor>(null);
  const before = useRef<Span>(null);
  useLayoutEffect(() => {
    if (before.current?.first === first && before.current.end === end) return;
    before.current = { first, end };
    stick.current?.setPartial(end !== null);
    const { element, offset } = anchor.current ?? {};
    anchor.current = null;
    if (element?.isConnected && offset !== undefined) stick.current?.moveBy(offsetOf(element, content.current) - offset);
  }, [first, end, stick, content]);

  const grow = useCallback<Grow>(
    (near, next) => {
      anchor.current = { element: near, offset: offsetOf(near, content.current) };
      // Not urgent: keys and frames go before the making of messages.
      startTransition(() => setSpan((now) => next(within(now, count), count)));
    },
    [count, content],
  );
  const jump = useCallback((to: Span) => {
    anchor.current = null;
    setSpan(to);
  }, []);
  const reveal = useCallback((index: number) => jump(around(index, count)), [count, jump]);
  const toEnd = useCallback(() => {
    const isFewAtEnd = end === null && count - first <= MOST;
    if (!isFewAtEnd) jump(newest(count));
    stick.current?.toEnd();
  }, [first, end, count, jump, stick]);
  const ends = useNearness({ first, end }, scroller, grow);
  return { first, end: end ?? count, ...ends, reveal, toEnd };
}
