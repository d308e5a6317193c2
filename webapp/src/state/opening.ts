/** Loads sessions into threads, and keeps them as the server has them. */

import { failureOf } from '../api/failure';
import type { LiveAnswers } from '../stream/live';
import { EMPTY_TREE, merged } from '../tree/tree';
import type { Api } from './asking';
import { isLocal } from './local_messages';
import { type Thread, changeThread, emptyThread, putThread, runningIn, threadIdOf, threadOf } from './threads';

export class Opening {
  private readonly live: LiveAnswers;
  private readonly api: Api;

  constructor(live: LiveAnswers, api: Api) {
    this.live = live;
    this.api = api;
  }

  /** Load a session, or look at it again; what runs in it is followed. */
  async open(sessionId: string): Promise<void> {
    const threadId = threadIdOf(sessionId);
    if (threadOf(threadId) === undefined) putThread(emptyThread(sessionId));
    const idsBefore = new Set(threadOf(threadId)?.tree.messages.keys());
    const isGrowing = (key: string): boolean => this.live.has(key);
    try {
      const server = await this.api.getTree(sessionId);
      changeThread(threadId, (thread) => ({
        tree: merged(thread.tree, server, { keepsHead: isBusyHere(thread, this.live), isGrowing, idsBefore }),
        state: 'ready',
      }));
    } catch (error) {
      this.failed(threadId, error);
      return;
    }
    const thread = threadOf(threadId);
    for (const message of thread === undefined ? [] : runningIn(thread)) {
      if (!isLocal(message.id)) this.live.follow(message.key, message.id);
    }
  }

  private failed(threadId: string, error: unknown): void {
    const failure = failureOf(error);
    if (failure.status === 404) {
      changeThread(threadId, () => ({ state: 'missing', failure, tree: EMPTY_TREE }));
    } else {
      changeThread(threadId, (thread) => (thread.state === 'ready' ? {} : { state: 'failed', failure }));
    }
  }
}

/** What somebody does in this tab stays in view, wherever the head is meanwhile. */
function isBusyHere(thread: Thread, live: LiveAnswers): boolean {
  return thread.comparing !== null || runningIn(thread).some((message) => live.has(message.key));
}
