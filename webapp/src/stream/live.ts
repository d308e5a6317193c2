/**
 * The answers that grow in this tab, outside React; views are told once a frame.
 *
 * How it works: the server owns an answer and numbers its events. Each answer here knows the last
 * number it has taken: an event that came before is dropped, and one that comes too early asks for
 * all after the last one (`response.resume`). So does every new connection. A question whose
 * connection was lost before it was confirmed is left to the listener, who looks into the session.
 */

import type { Failure } from '../api/failure';
import { type JsonObject, numberOrNull } from '../api/json';
import type { Answer } from '../api/parse';
import type { Clock } from './clock';
import { PublishGate } from './gate';
import { GrowingAnswer, type LiveAnswer } from './growing';
import type { ClientMessage, ResponseBody, ServerMessage, StreamEvent } from './protocol';

export interface LiveListener {
  /** The server has it, and knows it by this id. */
  onOpened(key: string, answer: Answer): void;
  onEnded(key: string, answer: Answer): void;
  /** It was refused, or is no longer there. */
  onRefused(key: string, failure: Failure): void;
  /** The connection was lost before the server confirmed it. */
  onUncertain(key: string): void;
}

interface Running {
  readonly key: string;
  readonly growing: GrowingAnswer;
  /** What to ask for; null when it was only found running. */
  readonly body: ResponseBody | null;
  responseId: string | null;
  isSent: boolean;
  isStopping: boolean;
  isCatchingUp: boolean;
  last: number;
}

const AGAIN_MS = 2000;

export class LiveAnswers {
  private readonly clock: Clock;
  private readonly send: (message: ClientMessage) => boolean;
  private readonly listener: LiveListener;
  private readonly gate: PublishGate;
  private readonly running = new Map<string, Running>();
  private readonly changed = new Set<string>();
  private readonly shown = new Map<string, LiveAnswer>();
  private readonly watchers = new Map<string, Set<() => void>>();

  constructor(clock: Clock, send: (message: ClientMessage) => boolean, listener: LiveListener) {
    this.clock = clock;
    this.send = send;
    this.listener = listener;
    this.gate = new PublishGate(clock, () => {
      this.publish();
    });
  }

  /** Ask for an answer; `key` names it here. It is sent as soon as there is a connection. */
  ask(key: string, body: ResponseBody): void {
    this.create(this.begin(key, body, null));
  }

  /** Follow an answer that the server makes already, from its beginning. */
  follow(key: string, responseId: string): void {
    if (!this.running.has(key)) this.resume(this.begin(key, null, responseId));
  }

  /** Stop an answer; nothing more of it is shown before its end. */
  stop(key: string): void {
    const one = this.running.get(key);
    if (one === undefined) return;
    one.isStopping = true;
    one.growing.freeze();
    this.cancel(one);
  }

  /** Forget an answer without stopping it. */
  leave(key: string): void {
    if (!this.running.delete(key)) return;
    this.shown.delete(key);
    this.told(key);
  }

  has(key: string): boolean {
    return this.running.has(key);
  }

  /** What a view shows of it; the same object until something new is published. */
  snapshot(key: string): LiveAnswer | null {
    return this.shown.get(key) ?? null;
  }

  watch(key: string, watcher: () => void): () => void {
    const watchers = this.watchers.get(key) ?? new Set();
    this.watchers.set(key, watchers.add(watcher));
    return () => {
      watchers.delete(watcher);
      if (watchers.size === 0) this.watchers.delete(key);
    };
  }

  /** There is a new connection. */
  connected(): void {
    for (const one of this.running.values()) {
      if (one.responseId !== null) {
        this.resume(one);
        if (one.isStopping) this.cancel(one);
      } else if (!one.isSent) {
        this.create(one);
      } else {
        this.listener.onUncertain(one.key);
      }
    }
  }

  /** The question did not get there: send it again. */
  repeat(key: string): void {
    const one = this.running.get(key);
    if (one !== undefined && one.responseId === null) this.create(one);
  }

  /** The question got there after all: follow its answer. */
  confirm(key: string, responseId: string): void {
    const one = this.running.get(key);
    if (one === undefined || one.responseId !== null) return;
    one.responseId = responseId;
    this.resume(one);
    if (one.isStopping) this.cancel(one);
  }

  take(message: ServerMessage): void {
    if (message.kind === 'heartbeat') {
      this.counted(message.tokens);
      return;
    }
    const one = message.streamId === null ? undefined : this.running.get(message.streamId);
    if (one === undefined) return;
    if (message.kind === 'error') this.failed(one, message.failure);
    else this.takeEvent(one, message);
  }

  private begin(key: string, body: ResponseBody | null, responseId: string | null): Running {
    const growing = new GrowingAnswer(body === null ? 'waiting' : 'sending', this.clock.now());
    const flags = { isSent: false, isStopping: false, isCatchingUp: false };
    const one: Running = { key, growing, body, responseId, ...flags, last: -1 };
    this.running.set(key, one);
    this.changed.add(key);
    this.gate.open();
    return one;
  }

  private takeEvent(one: Running, event: StreamEvent): void {
    if (event.number <= one.last) return;
    if (event.number > one.last + 1) {
      if (!one.isCatchingUp) this.resume(one);
      return;
    }
    one.last = event.number;
    one.isCatchingUp = false;
    if (event.kind === 'ended') {
      this.end(one);
      this.listener.onEnded(one.key, event.answer);
      return;
    }
    const numChars = one.growing.take(event, this.clock.now());
    if (event.kind === 'opened') this.opened(one, event.answer);
    if (event.kind === 'other') return;
    this.changed.add(one.key);
    this.gate.noted(numChars);
  }

  private counted(tokens: JsonObject): void {
    for (const one of this.running.values()) {
      const numTokens = one.responseId === null ? null : numberOrNull(tokens, one.responseId);
      if (numTokens === null) continue;
      one.growing.counted(numTokens, this.clock.now());
      this.changed.add(one.key);
      this.gate.noted(0);
    }
  }

  private create(one: Running): void {
    one.isSent = this.send({ ...one.body, type: 'response.create', stream_id: one.key, count_tokens: true });
  }

  private opened(one: Running, answer: Answer): void {
    const isNew = one.responseId === null;
    one.responseId = answer.id;
    if (isNew && one.isStopping) this.cancel(one);
    this.listener.onOpened(one.key, answer);
  }

  private failed(one: Running, failure: Failure): void {
    if (one.responseId === null || failure.status === 404) {
      this.end(one);
      this.listener.onRefused(one.key, failure);
      return;
    }
    // The reader has ended, not the answer: come back to it.
    const wait = failure.retryAfterS === null ? AGAIN_MS : failure.retryAfterS * 1000;
    this.clock.after(wait, () => {
      if (this.running.get(one.key) === one) this.resume(one);
    });
  }

  private resume(one: Running): void {
    if (one.responseId === null) return;
    const after = one.last < 0 ? {} : { starting_after: one.last };
    const message = { type: 'response.resume', stream_id: one.key, count_tokens: true, response_id: one.responseId } as const;
    one.isCatchingUp = this.send({ ...message, ...after });
  }

  private cancel(one: Running): void {
    if (one.responseId !== null) this.send({ type: 'response.cancel', response_id: one.responseId });
  }

  private end(one: Running): void {
    this.running.delete(one.key);
    this.changed.delete(one.key);
    this.shown.delete(one.key);
    this.told(one.key);
  }

  private publish(): void {
    const keys = [...this.changed];
    this.changed.clear();
    for (const key of keys) {
      const one = this.running.get(key);
      if (one !== undefined) this.shown.set(key, one.growing.snapshot());
      this.told(key);
    }
  }

  private told(key: string): void {
    for (const watcher of this.watchers.get(key) ?? []) watcher();
  }
}
