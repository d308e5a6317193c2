/** What a person does in a thread: say, ask again, change what was said, stop, go to another branch. */

import { failureOf } from '../api/failure';
import { coreStrings } from '../core_strings';
import { type Message, isRunning } from '../tree/message';
import { leafUnder, withHead } from '../tree/tree';
import type { Api, Asking } from './asking';
import { draftOf, hideDraft, setDraft } from './drafts';
import { isLocal } from './local_messages';
import type { Opening } from './opening';
import { putSession } from './sessions';
import type { SessionSettings } from './settings_types';
import { tellTabs } from './tabs';
import { type Thread, changeThread, runningIn, threadOf } from './threads';
import { showFailure } from './ui';

/** One side of a comparison. */
export interface RunChoice {
  readonly model: string | null;
  readonly settings: SessionSettings;
}

export class TurnTaking {
  private readonly asking: Asking;
  private readonly api: Api;
  private readonly opening: Opening;
  private numQueued = 0;

  constructor(asking: Asking, opening: Opening, api: Api) {
    this.asking = asking;
    this.opening = opening;
    this.api = api;
    asking.whenEnded((thread, message) => {
      this.goOn(thread, message);
    });
  }

  /** Say something at the end of the path in view; while an answer runs it waits for its end. */
  async send(threadId: string, text: string): Promise<boolean> {
    const thread = threadOf(threadId);
    if (thread === undefined || text.trim() === '') return false;
    if (thread.state !== 'ready') return this.sendWhenLoaded(thread, text);
    if (isAnswering(thread)) {
      this.numQueued += 1;
      const prompt = { key: `queued-${this.numQueued}`, text };
      changeThread(threadId, ({ queued }) => ({ queued: [...queued, prompt] }));
      setDraft(threadId, '');
      return true;
    }
    hideDraft(threadId);
    const { isAccepted } = await this.asking.ask({ threadId, parentId: thread.tree.head, text });
    return isAccepted;
  }

  /** Answer the same once more, beside the answer that is there. */
  async regenerate(threadId: string, messageId: string, model: string | null = null): Promise<boolean> {
    const message = threadOf(threadId)?.tree.messages.get(messageId);
    if (message === undefined || message.parentId === null) return false;
    const { isAccepted } = await this.asking.ask({ threadId, parentId: message.parentId, text: null, model });
    return isAccepted;
  }

  /** Say something else in the place of a message; what followed it stays on its own branch. */
  async edit(threadId: string, messageId: string, text: string): Promise<boolean> {
    const message = threadOf(threadId)?.tree.messages.get(messageId);
    if (message === undefined || text.trim() === '') return false;
    const { isAccepted } = await this.asking.ask({ threadId, parentId: message.parentId, text });
    return isAccepted;
  }

  /** Put other words into the model's mouth; the answer that is there stays on its own branch. */
  async editAnswer(threadId: string, messageId: string, text: string): Promise<boolean> {
    const thread = threadOf(threadId);
    const parentId = thread?.tree.messages.get(messageId)?.parentId ?? null;
    if (thread === undefined || thread.sessionId === null || parentId === null || isAnswering(thread)) return false;
    try {
      await this.api.moveHead(thread.sessionId, parentId);
      await this.api.addItem(thread.sessionId, { type: 'message', role: 'assistant', content: text });
    } catch (error) {
      showFailure(coreStrings.notEdited(failureOf(error).message));
      return false;
    } finally {
      await this.opening.open(thread.sessionId);
      tellTabs({ kind: 'session', sessionId: thread.sessionId });
    }
    return true;
  }

  /** Have two ways of answering side by side; they are branches like any others. */
  async compare(threadId: string, text: string, choices: readonly [RunChoice, RunChoice]): Promise<boolean> {
    const thread = threadOf(threadId);
    if (thread?.state !== 'ready' || text.trim() === '' || isAnswering(thread)) return false;
    const [one, other] = choices;
    hideDraft(threadId);
    const first = await this.asking.ask({ threadId, parentId: thread.tree.head, text, ...one });
    if (!first.isAccepted) return false;
    const parentId = messageWith(threadId, first.key)?.parentId ?? null;
    const second = this.asking.ask({ threadId, parentId, text: null, ...other });
    const secondKey = threadOf(threadId)?.tree.head;
    changeThread(threadId, () => ({ comparing: { keys: [first.key, secondKey ?? ''] } }));
    if ((await second).isAccepted) return true;
    this.closeComparison(threadId);
    return false;
  }

  /** End a comparison and go on from this answer. */
  async keepAnswer(threadId: string, messageId: string): Promise<void> {
    this.closeComparison(threadId);
    await this.showSibling(threadId, messageId);
  }

  closeComparison(threadId: string): void {
    changeThread(threadId, () => ({ comparing: null }));
  }

  /** Stop what is answered in a thread; what it has said stays. */
  stop(threadId: string): void {
    const thread = threadOf(threadId);
    for (const message of thread === undefined ? [] : runningIn(thread)) this.asking.answers.stop(message.key);
  }

  /** Show the branch of this message, down to its newest end. */
  async showSibling(threadId: string, messageId: string): Promise<void> {
    const thread = threadOf(threadId);
    if (thread === undefined || thread.sessionId === null) return;
    const before = thread.tree.head;
    const leaf = leafUnder(thread.tree, messageId);
    changeThread(threadId, ({ tree }) => ({ tree: withHead(tree, leaf) }));
    if (isLocal(leaf)) return;
    try {
      putSession(await this.api.moveHead(thread.sessionId, leaf));
      tellTabs({ kind: 'session', sessionId: thread.sessionId });
    } catch (error) {
      changeThread(threadId, ({ tree }) => ({ tree: withHead(tree, before) }));
      showFailure(coreStrings.notSwitched(failureOf(error).message));
    }
  }

  /** Copy the path to this message into a session of its own; null: that failed. */
  async forkAt(threadId: string, messageId: string): Promise<string | null> {
    const sessionId = threadOf(threadId)?.sessionId ?? null;
    if (sessionId === null) return null;
    try {
      const fork = await this.api.forkSession(sessionId, messageId);
      putSession(fork);
      return fork.id;
    } catch (error) {
      showFailure(coreStrings.notForked(failureOf(error).message));
      return null;
    }
  }

  /** Do not say this after all; its text is back in the field. */
  unqueue(threadId: string, key: string): void {
    const prompt = threadOf(threadId)?.queued.find((each) => each.key === key);
    changeThread(threadId, ({ queued }) => ({ queued: queued.filter((each) => each.key !== key) }));
    if (prompt !== undefined) addToDraft(threadId, prompt.text);
  }

  /** Until a session is loaded nobody knows where its end is. */
  private async sendWhenLoaded({ id, sessionId }: Thread, text: string): Promise<boolean> {
    hideDraft(id);
    if (sessionId !== null) await this.opening.open(sessionId);
    if (threadOf(id)?.state === 'ready') return this.send(id, text);
    addToDraft(id, text);
    return false;
  }

  /** Say what waits, or give it back if there is nothing to go on from. */
  private goOn(thread: Thread, message: Message): void {
    const [next, ...others] = thread.queued;
    if (next === undefined || isAnswering(thread)) return;
    if (message.status === 'completed' || message.status === 'incomplete') {
      changeThread(thread.id, () => ({ queued: others }));
      void this.asking.ask({ threadId: thread.id, parentId: thread.tree.head, text: next.text });
    } else {
      changeThread(thread.id, () => ({ queued: [] }));
      addToDraft(thread.id, thread.queued.map((each) => each.text).join('\n\n'));
    }
  }
}

function isAnswering(thread: Thread): boolean {
  const head = thread.tree.head === null ? undefined : thread.tree.messages.get(thread.tree.head);
  return head !== undefined && isRunning(head);
}

function messageWith(threadId: string, key: string): Message | undefined {
  const messages = threadOf(threadId)?.tree.messages.values() ?? [];
  return [...messages].find((each) => each.key === key);
}

function addToDraft(threadId: string, text: string): void {
  const typed = draftOf(threadId);
  setDraft(threadId, typed === '' ? text : `${text}\n\n${typed}`);
}
