/** Tells the other tabs of this browser what has changed, and hears it from them. */

export type TabNews = { readonly kind: 'session'; readonly sessionId: string } | { readonly kind: 'list' } | { readonly kind: 'key' };

const NAME = 'conch';
let channel: BroadcastChannel | null = null;

/** Listen to the other tabs; the result ends it. */
export function joinTabs(onNews: (news: TabNews) => void): () => void {
  const joined = new BroadcastChannel(NAME);
  channel = joined;
  joined.addEventListener('message', (event: MessageEvent<TabNews>) => {
    onNews(event.data);
  });
  return () => {
    joined.close();
    channel = null;
  };
}

export function tellTabs(news: TabNews): void {
  channel?.postMessage(news);
}
