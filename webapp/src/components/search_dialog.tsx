/** Finds words inside messages, in whichever branch they are, and opens the conversation there. */

import { useEffect, useState, type KeyboardEvent, type ReactNode } from 'react';
import type { Match } from '../api/types';
import { navigate, pathOfSession } from '../router';
import { shellStrings as strings } from '../shell_strings';
import { closePanel } from '../state/panels';
import { searchSessions } from '../api/resources';
import { Dialog } from './dialog';

// Typing goes on; one question for a word is enough.
const PAUSE_MS = 180;

/** What was found; before anything was asked, and when asking failed, nothing. */
type Outcome = readonly Match[] | 'none' | 'failed';

export function SearchDialog(): ReactNode {
  const [text, setText] = useState('');
  const outcome = useSearch(text.trim());
  return (
    <Dialog title={strings.searchTitle} onClose={closePanel} className="dialog-search">
      <div role="group" aria-label={strings.searchTitle} onKeyDown={moveBetweenResults}>
        <input
          className="field"
          type="text"
          inputMode="search"
          aria-label={strings.searchField}
          placeholder={strings.searchField}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <p className="hint" role="status">
          {sentenceFor(outcome)}
        </p>
        {typeof outcome !== 'string' && <Results matches={outcome} word={text.trim()} />}
      </div>
    </Dialog>
  );
}

function sentenceFor(outcome: Outcome): string {
  if (outcome === 'failed') return strings.searchFailed;
  if (outcome === 'none') return '';
  return outcome.length === 0 ? strings.searchNone : strings.searchCount(outcome.length);
}

function Results({ matches, word }: { matches: readonly Match[]; word: string }): ReactNode {
  return (
    <ul className="search-results">
      {matches.map((match) => (
        <li key={match.messageId}>
          <a
            href={pathOfSession(match.sessionId, match.messageId)}
            onClick={(event) => {
              event.preventDefault();
              closePanel();
              navigate(pathOfSession(match.sessionId, match.messageId));
            }}
          >
            <strong dir="auto">{match.title || strings.untitled}</strong>
            <Excerpt text={match.excerpt} word={word} />
          </a>
        </li>
      ))}
    </ul>
  );
}

function Excerpt({ text, word }: { text: string; word: string }): ReactNode {
  const at = text.toLowerCase().indexOf(word.toLowerCase());
  if (at < 0) return <span dir="auto">{text}</span>;
  return (
    <span dir="auto">
      {text.slice(0, at)}
      <mark>{text.slice(at, at + word.length)}</mark>
      {text.slice(at + word.length)}
    </span>
  );
}

function useSearch(text: string): Outcome {
  const [last, setLast] = useState<{ readonly text: string; readonly outcome: Outcome }>({ text: '', outcome: 'none' });
  useEffect(() => {
    if (text === '') return undefined;
    const left = new AbortController();
    const search = async (): Promise<void> => {
      const outcome = await searchSessions(text, left.signal).catch((): Outcome => 'failed');
      if (!left.signal.aborted) setLast({ text, outcome });
    };
    const timer = setTimeout(() => void search(), PAUSE_MS);
    return () => {
      clearTimeout(timer);
      left.abort();
    };
  }, [text]);
  // While the next is asked for, the last stays in view.
  return text === '' ? 'none' : last.outcome;
}

function moveBetweenResults(event: KeyboardEvent<HTMLDivElement>): void {
  if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
  const stops = [...event.currentTarget.querySelectorAll<HTMLElement>('input, a')];
  const at = stops.findIndex((stop) => stop === document.activeElement);
  event.preventDefault();
  stops[Math.max(0, Math.min(stops.length - 1, at + (event.key === 'ArrowDown' ? 1 : -1)))]?.focus();
}
