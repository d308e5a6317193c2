/**
 * Questions and their answers: what is shown at once, and what the server makes of it.
 *
 * How it works: a question is put into the tree with ids of our own, and sent. When the server has
 * it the ids become the server's; when it refuses it everything is as before, and the text is back
 * in its field. The message of an answer keeps its key, by which its growing text is known
 * (stream/live.ts). If the connection is lost in between, the session is looked at: an answer
 * whose metadata has our key is ours.
 */

import { type Failure, failureOf } from '../api/failure';
import { type Answer, KEY_FIELD } from '../api/parse';
import type * as resources from '../api/resources';
import { coreStrings } from '../core_strings';
import type { LiveAnswers, LiveListener } from '../stream/live';
import type { ResponseBody } from '../stream/protocol';
import type { Message } from '../tree/message';
import { renamed, without, withMessage } from '../tree/tree';
import { draftOf, moveDraft, setDraft } from './drafts';
import { localAnswer, localQuestion } from './local_messages';
import { canDo, modelFor, models, modelsKnown } from './models';
import { markRunning } from './sessions';
import { moveSettings, settingsOf, wireSettings } from './settings';
import type { SessionSettings } from './settings_types';
import { tellTabs } from './tabs';
import { NEW_PLACE, type Thread, changeThread, findByKey, nameThread, runningIn, threadOf } from './threads';
import { announce, showFailure } from './ui';

export type Api = Pick<typeof resources, 'getTree' | 'listSessions' | 'moveHead' | 'forkSession' | 'addItem'>;

/** Where a question goes, and what it is. */
export interface Question {
  readonly threadId: string;
  /** Null: the first message of the session. */
  readonly parentId: string | null;
  /** Null: the parent is answered once more. */
  readonly text: string | null;
  /** Instead of the thread's own. */
  readonly settings?: SessionSettings;
  readonly model?: string | null;
}

interface Asked extends Question {
  readonly questionKey: string | null;
  readonly headBefore: string | null;
  readonly settle: (isAccepted: boolean) => void;
}

const SECONDS = 1000;
const NO_MODEL: Failure = { status: 0, code: 'no_model', message: coreStrings.noModel, param: null, retryAfterS: null };
const MAX_SEED = 2 ** 31;

export class Asking implements LiveListener {
  private readonly live: LiveAnswers;
  private readonly api: Api;
  private readonly asked = new Map<string, Asked>();
  private readonly openListeners = new Set<(sessionId: string) => void>();
  private readonly endListeners = new Set<(thread: Thread, message: Message) => void>();

  constructor(makeLive: (listener: LiveListener) => LiveAnswers, api: Api) {
    this.live = makeLive(this);
    this.api = api;
  }

  get answers(): LiveAnswers {
    return this.live;
  }

  /** Be told of every question that the server has taken, by its session. */
  whenOpened(listener: (sessionId: string) => void): void {
    this.openListeners.add(listener);
  }

  whenEnded(listener: (thread: Thread, message: Message) => void): void {
    this.endListeners.add(listener);
  }

  /** Show the question and its answer to come, and send it; whether the server took it. */
  async ask(question: Question): Promise<{ readonly key: string; readonly isAccepted: boolean }> {
    const thread = threadOf(question.threadId);
    if (thread === undefined) throw new Error(`no thread ${question.threadId}`);
    const said = question.text === null ? null : localQuestion(question.text, question.parentId);
    const answer = localAnswer(question.model ?? null, said === null ? question.parentId : said.id);
    changeThread(thread.id, ({ tree }) => ({
      tree: withMessage(said === null ? tree : withMessage(tree, said), answer, answer.id),
      failure: null,
      retryAt: null,
    }));
    return new Promise((resolve) => {
      const settle = (isAccepted: boolean): void => {
        resolve({ key: answer.key, isAccepted });
      };
      this.asked.set(answer.key, { ...question, questionKey: said?.key ?? null, headBefore: thread.tree.head, settle });
      if (models.getState().state === 'idle') void modelsKnown().then(() => this.sendOut(answer.key, question));
      else this.sendOut(answer.key, question);
    });
  }

  onOpened(key: string, answer: Answer): void {
    const asked = this.asked.get(key);
    const found = findByKey(key);
    if (asked === undefined || found === null) return;
    this.asked.delete(key);
    const threadId = found.thread.id;
    const question = asked.questionKey === null ? null : findByKey(asked.questionKey);
    changeThread(threadId, ({ tree }) => {
      const known = { id: answer.id, model: answer.model, createdAt: answer.createdAt, numDropped: answer.numDropped };
      const named = renamed(tree, found.message.id, { ...known, status: 'in_progress' });
      if (question === null || answer.parentId === null) return { tree: named };
      return { tree: renamed(named, question.message.id, { id: answer.parentId, status: 'completed' }) };
    });
    if (found.thread.sessionId === null && answer.sessionId !== null) this.named(threadId, answer.sessionId);
    if (asked.text !== null) keepOnlyTyped(threadId);
    announce(coreStrings.answerBegun);
    if (answer.sessionId !== null) this.toldOpened(answer.sessionId);
    asked.settle(true);
  }

  onEnded(key: string, answer: Answer): void {
    const found = findByKey(key);
    if (found === null) return;
    const { id, parts, status, stats, reason, failure, isSaved, numDropped } = answer;
    const message: Message = { ...found.message, id, parts, status, stats, reason, failure, isSaved, numDropped };
    changeThread(found.thread.id, ({ tree }) => ({ tree: withMessage(tree, message) }));
    announce(lastWord(message));
    if (!isSaved) showFailure(coreStrings.answerUnsaved);
    const thread = threadOf(found.thread.id);
    if (thread === undefined) return;
    if (thread.sessionId !== null) {
      markRunning(thread.sessionId, runningIn(thread).length > 0);
      tellTabs({ kind: 'session', sessionId: thread.sessionId });
    }
    for (const listener of this.endListeners) listener(thread, message);
  }

  onRefused(key: string, failure: Failure): void {
    const asked = this.asked.get(key);
    const found = findByKey(key);
    this.asked.delete(key);
    if (found === null) return;
    if (asked === undefined) {
      // It ran, and is gone: somebody deleted it.
      const gone: Message = { ...found.message, status: 'failed', failure };
      changeThread(found.thread.id, ({ tree }) => ({ tree: withMessage(tree, gone) }));
      return;
    }
    this.takeBack(asked, found.thread, found.message, failure);
    asked.settle(false);
  }

  onUncertain(key: string): void {
    void this.lookFor(key);
  }

  private sendOut(key: string, question: Question): void {
    const thread = threadOf(question.threadId);
    const model = question.model ?? question.settings?.model ?? modelFor(question.threadId);
    const answer = findByKey(key)?.message;
    if (thread === undefined || model === null || answer === undefined) {
      this.onRefused(key, NO_MODEL);
      return;
    }
    const body = bodyOf(question, thread, model, key);
    const { input: _, ...asked } = body;
    changeThread(thread.id, ({ tree }) => ({ tree: withMessage(tree, { ...answer, model, asked }) }));
    this.live.ask(key, body);
  }

  private toldOpened(sessionId: string): void {
    markRunning(sessionId, true);
    tellTabs({ kind: 'session', sessionId });
    for (const listener of this.openListeners) listener(sessionId);
  }

  private named(threadId: string, sessionId: string): void {
    moveDraft(NEW_PLACE, sessionId);
    moveSettings(sessionId);
    nameThread(threadId, sessionId);
  }

  private takeBack(asked: Asked, thread: Thread, answer: Message, failure: Failure): void {
    const question = asked.questionKey === null ? null : findByKey(asked.questionKey);
    const first = question?.message ?? answer;
    changeThread(thread.id, ({ tree }) => ({
      tree: without(tree, first.id, asked.headBefore),
      failure,
      retryAt: failure.retryAfterS === null ? null : Date.now() + failure.retryAfterS * SECONDS,
    }));
    if (asked.text !== null) {
      const typed = draftOf(thread.id);
      setDraft(thread.id, typed === '' ? asked.text : `${asked.text}\n\n${typed}`);
    }
    announce(coreStrings.notSent(failure.message));
  }

  /** Find out whether the server has the question, and send it again if not. */
  private async lookFor(key: string): Promise<void> {
    const found = findByKey(key);
    if (found === null) return;
    try {
      const id = await this.responseWith(key, found.thread.sessionId);
      if (id === null) this.live.repeat(key);
      else this.live.confirm(key, id);
    } catch (error) {
      // The next connection asks again.
      failureOf(error);
    }
  }

  private async responseWith(key: string, sessionId: string | null): Promise<string | null> {
    // A session that was just begun is among the first that are not pinned.
    const places = sessionId === null ? (await this.api.listSessions(null)).items.filter((each) => !each.isPinned).slice(0, 3) : [{ id: sessionId }];
    for (const place of places) {
      // One after the other: the first one is nearly always right.
      // oxlint-disable-next-line no-await-in-loop
      const { messages } = await this.api.getTree(place.id);
      const message = messages.find((each) => each.askedAs === key);
      if (message !== undefined) return message.id;
    }
    return null;
  }
}

/** The fields of `response.create`. */
function bodyOf(question: Question, thread: Thread, model: string, key: string): ResponseBody {
  const place = thread.sessionId === null ? {} : { conversation: thread.sessionId, x_conch: { parent_id: question.parentId } };
  return {
    model,
    ...(question.text === null ? {} : { input: question.text }),
    ...place,
    ...seedFor(model),
    ...wireSettings(question.settings ?? settingsOf(thread.id)),
    background: true,
    metadata: { [KEY_FIELD]: key },
  };
}

/** A seed of our own, so that the same can be asked again (probs.ts). */
function seedFor(model: string): ResponseBody {
  return canDo(model, 'seed') ? { seed: Math.floor(Math.random() * MAX_SEED) } : {};
}

/** The field was emptied when the question was sent: now what is kept goes, too, but for what was typed since. */
function keepOnlyTyped(threadId: string): void {
  setDraft(threadId, draftOf(threadId));
}

function lastWord(message: Message): string {
  if (message.status === 'completed') return coreStrings.answerEnded;
  if (message.status === 'cancelled') return coreStrings.answerStopped;
  return message.failure === null ? coreStrings.answerCut : coreStrings.answerFailed(message.failure.message);
}
