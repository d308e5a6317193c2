/** Which address shows what, over the History API; a message to look at stands behind `#`. */

import { useSyncExternalStore } from 'react';

export type Route =
  | { readonly name: 'chat'; readonly sessionId: string | null; readonly messageId: string | null }
  | { readonly name: 'usage' }
  | { readonly name: 'missing' };

const MOVED = 'conch:moved';

export function pathOfSession(sessionId: string, messageId?: string): string {
  const anchor = messageId === undefined ? '' : `#${encodeURIComponent(messageId)}`;
  return `/c/${encodeURIComponent(sessionId)}${anchor}`;
}

/** Show another address; `isReplaced` leaves no step behind to go back to. */
export function navigate(path: string, isReplaced = false): void {
  if (path === addressNow()) return;
  if (isReplaced) history.replaceState(null, '', path);
  else history.pushState(null, '', path);
  dispatchEvent(new Event(MOVED));
}

export function useRoute(): Route {
  return routeOf(useSyncExternalStore(subscribe, addressNow));
}

export function routeOf(address: string): Route {
  const [path = '/', anchor = ''] = address.split('#', 2);
  if (path === '/') return { name: 'chat', sessionId: null, messageId: null };
  if (path === '/usage') return { name: 'usage' };
  const sessionId = /^\/c\/([^/]+)$/.exec(path)?.[1];
  const decoded = sessionId === undefined ? null : decode(sessionId);
  if (decoded === null) return { name: 'missing' };
  return { name: 'chat', sessionId: decoded, messageId: decode(anchor) || null };
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function addressNow(): string {
  return location.pathname + location.hash;
}

function subscribe(listener: () => void): () => void {
  addEventListener('popstate', listener);
  addEventListener(MOVED, listener);
  return () => {
    removeEventListener('popstate', listener);
    removeEventListener(MOVED, listener);
  };
}
