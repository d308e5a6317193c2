/** A `Stick` for a scroller and its content, for as long as they are on the page. */

import { useLayoutEffect, useRef, useState, type RefObject } from 'react';
import { Stick } from './stick';

export interface Sticking {
  readonly scroller: RefObject<HTMLDivElement | null>;
  readonly content: RefObject<HTMLDivElement | null>;
  readonly stick: RefObject<Stick | null>;
  /** Whether the end is far away, so that a way back is worth a button. */
  readonly isFar: boolean;
}

export function useStick(): Sticking {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const stick = useRef<Stick>(null);
  const [isFar, setIsFar] = useState(false);
  useLayoutEffect(() => {
    if (!scroller.current || !content.current) return undefined;
    const made = new Stick(scroller.current, content.current, setIsFar);
    stick.current = made;
    return () => {
      made.close();
      stick.current = null;
    };
  }, []);
  return { scroller, content, stick, isFar };
}
