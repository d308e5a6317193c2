/**
 * The threads of this tab: sessions that were opened, and new chats that have no session yet.
 *
 * A thread keeps its id when the server names its session, so that its view stays as it is.
 */

import { useStore } from 'zustand';
import { useShallow } from 'zustand/react/shallow';
import { createStore } from 'zustand/vanilla';
import type { Failure } from '../api/failure';
import { type Message, isRunning } from '../tree/message';
import { EMPTY_TREE, type Tree, pathOf } from '../tree/tree';

export interface QueuedPrompt {
  readonly key: string;
  readonly text: string;
}

export interface Comparison {
  /** The keys of the answers side by side. */
  readonly keys: readonly string[];
}

export interface Thread {
  readonly id: string;
  readonly sessionId: string | null;
  readonly state: 'ready' | 'loading' | 'missing' | 'failed';
  readonly failure: Failure | null;
  readonly tree: Tree;
  readonly queued: readonly QueuedPrompt[];
  readonly comparing: Comparison | null;
  /** The server asked not to be asked before this time, in milliseconds since 1970. */
  readonly retryAt: number | null;
}

interface Threads {
  readonly byId: Readonly<Record<string, Thread>>;
  /** The threads of sessions that were begun in this tab, by the session. */
  readonly named: Readonly<Record<string, string>>;
}

/** Under which the draft and the settings of what has no session yet are kept. */
export const NEW_PLACE = 'new';

export const threads = createStore<Threads>(() => ({ byId: {}, named: {} }));
const namedListeners = new Set<(threadId: string, sessionId: string) => void>();
const NO_MESSAGES: readonly Message[] = [];
let numNew = 0;

/** A chat that begins with its first message. */
export function newThread(): string {
  numNew += 1;
  const id = `new-${numNew}`;
  putThread({ ...emptyThread(id), sessionId: null, state: 'ready' });
  return id;
}

/** The thread of a session; a session that is not open yet gets an empty one. */
export function threadIdOf(sessionId: string): string {
  return threads.getState().named[sessionId] ?? sessionId;
}

export function threadOf(threadId: string): Thread | undefined {
  return threads.getState().byId[threadId];
}

/** Where its draft and its settings are kept. */
export function placeOf(threadId: string): string {
  const thread = threadOf(threadId);
  return thread === undefined ? (threadId.startsWith('new-') ? NEW_PLACE : threadId) : (thread.sessionId ?? NEW_PLACE);
}

export function usePlace(threadId: string): string {
  return useStore(threads, () => placeOf(threadId));
}

export function emptyThread(sessionId: string): Thread {
  return {
    id: sessionId,
    sessionId,
    state: 'loading',
    failure: null,
    tree: EMPTY_TREE,
    queued: [],
    comparing: null,
    retryAt: null,
  };
}

export function putThread(thread: Thread): void {
  threads.setState(({ byId }) => ({ byId: { ...byId, [thread.id]: thread } }));
}

/** Change a thread that is there. */
export function changeThread(threadId: string, change: (thread: Thread) => Partial<Thread>): void {
  const thread = threadOf(threadId);
  if (thread !== undefined) putThread({ ...thread, ...change(thread) });
}

/** Forget a thread; nothing of its session changes. */
export function dropThread(threadId: string): void {
  threads.setState(({ byId }) => {
    const { [threadId]: _, ...others } = byId;
    return { byId: others };
  });
}

/** The server has made a session for a thread. */
export function nameThread(threadId: string, sessionId: string): void {
  changeThread(threadId, () => ({ sessionId }));
  threads.setState(({ named }) => ({ named: { ...named, [sessionId]: threadId } }));
  for (const listener of namedListeners) listener(threadId, sessionId);
}

/** Be told when a new chat gets its session; the result ends it. */
export function onThreadNamed(listener: (threadId: string, sessionId: string) => void): () => void {
  namedListeners.add(listener);
  return () => {
    namedListeners.delete(listener);
  };
}

/** The message with this key, wherever it is. */
export function findByKey(key: string): { readonly thread: Thread; readonly message: Message } | null {
  for (const thread of Object.values(threads.getState().byId)) {
    for (const message of thread.tree.messages.values()) {
      if (message.key === key) return { thread, message };
    }
  }
  return null;
}

export function runningIn(thread: Thread): readonly Message[] {
  return [...thread.tree.messages.values()].filter((message) => message.role === 'assistant' && isRunning(message));
}

export function useThread(threadId: string): Thread | undefined {
  return useStore(threads, (state) => state.byId[threadId]);
}

/** The messages in view, the first one first. */
export function usePath(threadId: string): readonly Message[] {
  return useStore(
    threads,
    useShallow((state) => {
      const thread = state.byId[threadId];
      return thread === undefined ? NO_MESSAGES : pathOf(thread.tree);
    }),
  );
}

export function useIsRunning(threadId: string): boolean {
  return useStore(threads, (state) => {
    const thread = state.byId[threadId];
    return thread !== undefined && runningIn(thread).length > 0;
  });
}

/** The answers that stand side by side; none: nothing is compared. */
export function useComparison(threadId: string): readonly Message[] {
  return useStore(
    threads,
    useShallow((state) => {
      const thread = state.byId[threadId];
      const keys = thread?.comparing?.keys;
      if (thread === undefined || keys === undefined) return NO_MESSAGES;
      const byKey = new Map([...thread.tree.messages.values()].map((message) => [message.key, message]));
      return keys.flatMap((key) => byKey.get(key) ?? []);
    }),
  );
}
