/** A formula. KaTeX is fetched when the first one is seen; until then, and if it fails, its source is shown. */
import { useEffect, useRef, type ReactNode } from 'react';

/** Longer formulas stay source: typesetting is slow, and nobody reads one that long. */
const MAX_FORMULA_CHARS = 10_000;

async function typeset(text: string, element: HTMLElement, isDisplay: boolean): Promise<void> {
  const { render } = await import('./katex');
  if (element.isConnected) render(text, element, isDisplay);
}

export function Formula({ text, isDisplay }: { text: string; isDisplay: boolean }): ReactNode {
  const place = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    const element = place.current;
    if (!element || text.length > MAX_FORMULA_CHARS) return;
    // KaTeX owns the inside of this element: it makes nodes, no HTML strings.
    element.textContent = text;
    typeset(text, element, isDisplay).catch(() => {
      element.textContent = text;
    });
  }, [text, isDisplay]);
  return <span ref={place} dir="ltr" className={isDisplay ? 'formula formula-display' : 'formula'} />;
}
