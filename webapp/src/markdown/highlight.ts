/** Colours for code, as a tree; the grammars are fetched when the first code block is seen. */
import type { Root } from 'hast';
import { useEffect, useState } from 'react';

/** Longer code stays plain: highlighting takes about 1 ms for 1,000 characters on a slow phone. */
export const MAX_HIGHLIGHTED_CHARS = 50_000;

type Highlight = (language: string, code: string) => Root | undefined;

let loaded: Highlight | undefined;
let loading: Promise<Highlight> | undefined;

function load(): Promise<Highlight> {
  loading ??= import('./grammars').then((module) => {
    loaded = module.highlight;
    return module.highlight;
  });
  // Offline and not in the cache: the code stays plain, and the next block asks again.
  loading.catch(() => {
    loading = undefined;
  });
  return loading;
}

/** Fetch the grammars while nothing else is to be done. */
export function prepareHighlight(): void {
  load().catch(() => undefined);
}

/** The coloured tree of a finished piece of code; undefined while it is open, too long or unknown. */
export function useHighlight(language: string, code: string, isOpen: boolean): Root | undefined {
  const [highlight, setHighlight] = useState<Highlight | undefined>(() => loaded);
  const isWanted = language !== '' && code.length <= MAX_HIGHLIGHTED_CHARS;
  useEffect(() => {
    if (!isWanted || highlight) return;
    let isMounted = true;
    load().then(
      (value) => isMounted && setHighlight(() => value),
      () => undefined,
    );
    return () => {
      isMounted = false;
    };
  }, [isWanted, highlight]);
  return isWanted && !isOpen ? highlight?.(language, code) : undefined;
}
