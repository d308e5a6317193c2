/** Brings one message into view, wherever it is in the thread. */

import { useCallback, useEffect, useRef, useState, type RefObject } from 'react';
import type { Message } from '../tree/message';
import type { Stick } from './stick';
import type { Shown } from './use_span';

type Target = { readonly id: string; readonly hasFocus: boolean };

/** The result shows a message; `hasFocus` also moves the keyboard's focus to it. */
export function useTarget(
  path: readonly Message[],
  { first, end, reveal }: Pick<Shown, 'first' | 'end' | 'reveal'>,
  scroller: RefObject<HTMLElement | null>,
  stick: RefObject<Stick | null>,
): (id: string, hasFocus: boolean) => void {
  const [target, setTarget] = useState<Target | null>(null);
  const reached = useRef<Target | null>(null);
  useEffect(() => {
    if (target === reached.current) return;
    const index = target === null ? -1 : path.findIndex((message) => message.id === target.id);
    if (target === null || index < 0) return;
    if (index < first || index >= end) {
      reveal(index);
      return;
    }
    const article = scroller.current?.querySelector<HTMLElement>(`[data-message-id="${CSS.escape(target.id)}"]`);
    if (!article) return;
    reached.current = target;
    stick.current?.release();
    article.scrollIntoView({ block: article.offsetHeight > innerHeight / 2 ? 'start' : 'center' });
    article.classList.remove('message-found');
    // Reading a size makes the browser forget the animation, so that it runs again.
    article.getBoundingClientRect();
    article.classList.add('message-found');
    if (target.hasFocus) article.focus({ preventScroll: true });
  }, [target, path, first, end, reveal, scroller, stick]);
  return useCallback((id: string, hasFocus: boolean) => setTarget({ id, hasFocus }), []);
}
