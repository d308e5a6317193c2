/** What was typed and not sent, for each session; it outlives the page. */

import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import { asObject } from '../api/json';
import { keep, readKept } from './kept';
import { NEW_PLACE, placeOf, threads, usePlace } from './threads';

const NAME = 'conch.drafts';
const DEBOUNCE_MS = 300;
const MOST_DRAFTS = 50;

type Drafts = Readonly<Record<string, string>>;

export const drafts = createStore<Drafts>(readDrafts);
/** What was changed here since it was last kept: all else may be newer in another tab. */
const changed = new Set<string>();
let saving: ReturnType<typeof setTimeout> | undefined;

export function draftOf(threadId: string): string {
  return drafts.getState()[placeOf(threadId)] ?? '';
}

export function setDraft(threadId: string, text: string): void {
  putDraft(placeOf(threadId), text);
}

export function useDraft(threadId: string): string {
  const place = usePlace(threadId);
  return useStore(drafts, (state) => state[place] ?? '');
}

/** Empty the field while a question is on its way; it is kept until it has arrived. */
export function hideDraft(threadId: string): void {
  saveDrafts();
  drafts.setState({ [placeOf(threadId)]: '' });
}

/** The draft of what had no session moves to its session. */
export function moveDraft(from: string, to: string): void {
  const text = drafts.getState()[from] ?? '';
  putDraft(to, text);
  putDraft(from, '');
}

/** Write what waits to be written: before the page is left. */
export function saveDrafts(): void {
  clearTimeout(saving);
  const others = Object.entries(readDrafts()).filter(([place]) => !changed.has(place));
  const ours = [...changed].map((place) => [place, unsentAt(place)] as const).filter(([, text]) => text !== '');
  if (keep(NAME, Object.fromEntries([...others, ...ours].slice(-MOST_DRAFTS)))) changed.clear();
}

/** What is typed, after what waits for the end of an answer: a page that goes takes that with it. */
function unsentAt(place: string): string {
  const waiting = Object.values(threads.getState().byId).filter((thread) => (thread.sessionId ?? NEW_PLACE) === place);
  const texts = waiting.flatMap(({ queued }) => queued.map((each) => each.text));
  return [...texts, drafts.getState()[place] ?? ''].filter((text) => text !== '').join('\n\n');
}

function putDraft(place: string, text: string): void {
  const { [place]: _, ...others } = drafts.getState();
  // The last changed is the last, so that the oldest ones go when there are too many.
  changed.delete(place);
  changed.add(place);
  drafts.setState({ ...others, [place]: text }, true);
  clearTimeout(saving);
  saving = setTimeout(saveDrafts, DEBOUNCE_MS);
}

function readDrafts(): Drafts {
  const kept = Object.entries(asObject(readKept(NAME)));
  return Object.fromEntries(kept.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}
