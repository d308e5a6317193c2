/** Which messages of a conversation are on the page: a stretch of them that is never long. */

/** Messages that are put on the page at once: enough for a screen, quick to make. */
export const PAGE = 12;
/** With more of them typing and scrolling would be slow; those farthest from the reader leave the page. */
export const MOST = 72;

/** From this index up to, not including, the other; null: to the newest message, also when more come. */
export interface Span {
  readonly first: number;
  readonly end: number | null;
}

export function newest(count: number): Span {
  return { first: Math.max(0, count - PAGE), end: null };
}

/** A page more before it. */
export function earlier({ first, end }: Span, count: number): Span {
  const from = Math.max(0, first - PAGE);
  return { first: from, end: from + MOST < (end ?? count) ? from + MOST : end };
}

/** A page more after it. */
export function later({ first, end }: Span, count: number): Span {
  const to = (end ?? count) + PAGE;
  return { first: Math.max(first, Math.min(to, count) - MOST), end: to < count ? to : null };
}

/** A page with this message on it, and some before it. */
export function around(index: number, count: number): Span {
  const from = Math.max(0, index - PAGE / 3);
  return { first: from, end: from + PAGE < count ? from + PAGE : null };
}

/** As it is while there are so many messages: another branch may be shorter. */
export function within({ first, end }: Span, count: number): Span {
  const last = end !== null && end < count ? end : null;
  return { first: first < (last ?? count) ? first : newest(last ?? count).first, end: last };
}
