/** The conversations, the pinned first, then by the day of their last change. */

import { useEffect, useMemo, useRef, type ReactNode } from 'react';
import type { SessionSummary } from '../api/types';
import { shellStrings as strings } from '../shell_strings';
import { loadMoreSessions, loadSessions, useSessions } from '../state/sessions';
import { SessionRow } from './session_row';

const DAY_S = 86_400;

interface Group {
  readonly name: string;
  readonly items: readonly SessionSummary[];
}

export function SessionList({ openSessionId }: { openSessionId: string | null }): ReactNode {
  const { items, hasMore, state } = useSessions();
  // Of the time when the list was last looked at.
  const groups = useMemo(() => groupsOf(items, secondsNow()), [items]);
  return (
    <div className="session-list">
      {groups.map((group) => (
        <section key={group.name} aria-label={group.name}>
          <h2>{group.name}</h2>
          <ul>
            {group.items.map((session) => (
              <SessionRow key={session.id} session={session} isOpen={session.id === openSessionId} />
            ))}
          </ul>
        </section>
      ))}
      {state === 'ready' && items.length === 0 && <p className="hint">{strings.noSessions}</p>}
      {state === 'failed' && <Failed />}
      {hasMore && state !== 'failed' && <More isLoading={state === 'loading'} />}
    </div>
  );
}

/** By the calendar of this machine; `now` in seconds since 1970. */
export function groupsOf(items: readonly SessionSummary[], now: number): readonly Group[] {
  const midnight = new Date(now * 1000).setHours(0, 0, 0, 0) / 1000;
  const named: readonly [string, (session: SessionSummary) => boolean][] = [
    [strings.pinned, (session) => session.isPinned],
    [strings.today, (session) => session.updatedAt >= midnight],
    [strings.yesterday, (session) => session.updatedAt >= midnight - DAY_S],
    [strings.lastWeek, (session) => session.updatedAt >= midnight - 7 * DAY_S],
    [strings.older, () => true],
  ];
  const groupOf = (session: SessionSummary): number => named.findIndex(([, isIn]) => isIn(session));
  return named
    .map(([name], index) => ({ name, items: items.filter((session) => groupOf(session) === index) }))
    .filter((group) => group.items.length > 0);
}

function secondsNow(): number {
  return Date.now() / 1000;
}

function Failed(): ReactNode {
  return (
    <p className="hint" role="alert">
      {strings.listFailed}{' '}
      <button type="button" className="button" onClick={() => void loadSessions()}>
        {strings.tryAgain}
      </button>
    </p>
  );
}

/** Asks for more as soon as it comes into view. */
function More({ isLoading }: { isLoading: boolean }): ReactNode {
  const ref = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (isLoading || ref.current === null) return undefined;
    const observer = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) void loadMoreSessions();
    });
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, [isLoading]);
  return (
    <button ref={ref} type="button" className="button session-more" disabled={isLoading} onClick={() => void loadMoreSessions()}>
      {strings.loadMore}
    </button>
  );
}
