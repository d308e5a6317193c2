/** The list of sessions: changes show at once, and are taken back when the server refuses them. */

import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import { type Failure, failureOf } from '../api/failure';
import * as api from '../api/resources';
import type { SessionSummary } from '../api/types';
import { coreStrings } from '../core_strings';
import { tellTabs } from './tabs';
import { announce, dismissToast, showFailure, showToast } from './ui';

interface Sessions {
  readonly items: readonly SessionSummary[];
  readonly hasMore: boolean;
  readonly state: 'idle' | 'loading' | 'ready' | 'failed';
  readonly failure: Failure | null;
}

const UNDO_MS = 6000;

export const sessions = createStore<Sessions>(() => ({ items: [], hasMore: false, state: 'idle', failure: null }));
/** The sessions that a page of the list has told; others came alone, and tell nothing of where the next page begins. */
const paged = new Set<string>();
/** Deleted here, not yet there: what is done when the time for second thoughts is over. */
const leaving = new Map<string, { readonly timer: ReturnType<typeof setTimeout>; readonly summary: SessionSummary }>();

export function useSessions(): Sessions {
  return useStore(sessions);
}

export function sessionTitle(id: string): string {
  return sessions.getState().items.find((each) => each.id === id)?.title ?? '';
}

export function useSessionTitle(id: string | null): string {
  return useStore(sessions, (state) => state.items.find((each) => each.id === id)?.title ?? '');
}

/** Whether a session is not among those that have been listed so far: a link may lead to an old one. */
export function useIsUnlisted(id: string): boolean {
  return useStore(sessions, ({ state, items }) => state === 'ready' && !leaving.has(id) && !items.some((each) => each.id === id));
}

export async function loadSessions(): Promise<void> {
  if (sessions.getState().state !== 'ready') sessions.setState({ state: 'loading' });
  try {
    const { items, hasMore } = await api.listSessions(null);
    const ids = new Set(items.map((each) => each.id));
    for (const id of ids) paged.add(id);
    // Pages that were loaded further down stay, unless this one is all there is.
    const further = hasMore ? sessions.getState().items.filter((each) => !ids.has(each.id)) : [];
    sessions.setState({ items: ordered([...items, ...further]), hasMore, state: 'ready', failure: null });
  } catch (error) {
    const failure = failureOf(error);
    sessions.setState((now) => ({ failure, state: now.items.length > 0 ? 'ready' : 'failed' }));
  }
}

export async function loadMoreSessions(): Promise<void> {
  const { items, hasMore } = sessions.getState();
  const last = items.findLast((each) => paged.has(each.id));
  if (!hasMore || last === undefined) return;
  try {
    const page = await api.listSessions(last.id);
    for (const { id } of page.items) paged.add(id);
    sessions.setState((now) => ({ items: ordered([...now.items, ...page.items]), hasMore: page.hasMore }));
  } catch (error) {
    showFailure(failureOf(error).message);
  }
}

/** Put a session into the list as the server has it now. */
export async function refreshSession(id: string): Promise<SessionSummary | null> {
  try {
    const summary = await api.getSession(id);
    putSession(summary);
    return summary;
  } catch (error) {
    failureOf(error);
    return null;
  }
}

export function putSession(summary: SessionSummary): void {
  sessions.setState(({ items }) => ({ items: ordered([summary, ...items.filter((each) => each.id !== summary.id)]) }));
}

/** Show in the list whether something is going on in a session. */
export function markRunning(id: string, isRunning: boolean): void {
  change(id, { isRunning });
}

export async function renameSession(id: string, title: string): Promise<void> {
  const before = change(id, { title, titleSource: 'user' });
  await sent(api.changeSession(id, { title }), before, coreStrings.notRenamed);
}

export async function pinSession(id: string, isPinned: boolean): Promise<void> {
  const before = change(id, { isPinned });
  await sent(api.changeSession(id, { is_pinned: isPinned }), before, coreStrings.notPinned);
}

/** Take it out of the list; it is deleted when the time to undo it is over, or the page is left. */
export function deleteSession(id: string): void {
  const summary = sessions.getState().items.find((each) => each.id === id);
  if (summary === undefined) return;
  const text = coreStrings.deleted(summary.title === '' ? coreStrings.untitled : summary.title);
  const timer = setTimeout(() => void reallyDelete(id), UNDO_MS);
  leaving.set(id, { timer, summary });
  sessions.setState(({ items }) => ({ items: items.filter((each) => each.id !== id) }));
  announce(text);
  const toast = showToast(text, {
    actionLabel: coreStrings.undo,
    durationMs: UNDO_MS,
    onAction: () => {
      dismissToast(toast);
      undoDelete(id);
    },
  });
}

export function undoDelete(id: string): void {
  const taken = leaving.get(id);
  if (taken === undefined) return;
  clearTimeout(taken.timer);
  leaving.delete(id);
  putSession(taken.summary);
}

/** Delete now what waits for it: the page is left. */
export function finishDeletes(): void {
  for (const id of leaving.keys()) void reallyDelete(id);
}

async function reallyDelete(id: string): Promise<void> {
  const taken = leaving.get(id);
  if (taken === undefined) return;
  clearTimeout(taken.timer);
  try {
    await api.deleteSession(id);
    leaving.delete(id);
    tellTabs({ kind: 'list' });
  } catch (error) {
    const failure = failureOf(error);
    leaving.delete(id);
    // Somebody else was faster.
    if (failure.status === 404) return;
    putSession(taken.summary);
    showFailure(coreStrings.notDeleted(failure.message));
  }
}

async function sent(
  answer: Promise<SessionSummary>,
  before: SessionSummary | null,
  say: (why: string) => string,
): Promise<void> {
  try {
    putSession(await answer);
    tellTabs({ kind: 'list' });
  } catch (error) {
    const failure = failureOf(error);
    if (before !== null) putSession(before);
    showFailure(say(failure.message));
  }
}

/** Change what is shown of it; returns what was. */
function change(id: string, changes: Partial<SessionSummary>): SessionSummary | null {
  const before = sessions.getState().items.find((each) => each.id === id) ?? null;
  if (before !== null) putSession({ ...before, ...changes });
  return before;
}

/** As the server orders them, without what is being deleted. */
function ordered(items: readonly SessionSummary[]): readonly SessionSummary[] {
  const kept = new Map(items.filter((each) => !leaving.has(each.id)).map((each) => [each.id, each] as const).toReversed());
  return [...kept.values()].toSorted(
    (one, other) => Number(other.isPinned) - Number(one.isPinned) || other.updatedAt - one.updatedAt || (one.id < other.id ? 1 : -1),
  );
}
