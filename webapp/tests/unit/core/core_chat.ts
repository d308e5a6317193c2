/** A chat without a page: what is sent is kept, the server's part is played by the test. */

import { vi } from 'vitest';
import type { ApiError } from '../../../src/api/failure';
import type { SessionSummary, SessionTree } from '../../../src/api/types';
import { Asking } from '../../../src/state/asking';
import { models } from '../../../src/state/models';
import { Opening } from '../../../src/state/opening';
import { threadOf, threads } from '../../../src/state/threads';
import { TurnTaking } from '../../../src/state/turn_taking';
import { LiveAnswers } from '../../../src/stream/live';
import { readMessage } from '../../../src/stream/protocol';
import type { Message } from '../../../src/tree/message';
import { pathOf } from '../../../src/tree/tree';
import { FakeClock } from './fake_clock';
import { FakeStorage } from './fake_storage';
import { told } from './frames';

type Sent = Readonly<Record<string, unknown>>;

export class Chat {
  readonly sent: Sent[] = [];
  readonly moved: string[] = [];
  readonly clock = new FakeClock();
  tree: SessionTree = { head: null, messages: [] };
  failure: ApiError | null = null;
  private readonly api = {
    getTree: () => this.answered(this.tree),
    listSessions: () => this.answered({ items: [summary('conv_1')], hasMore: false }),
    moveHead: (_: string, id: string) => {
      this.moved.push(id);
      return this.answered(summary('conv_1'));
    },
    forkSession: () => this.answered(summary('conv_2')),
    addItem: () => this.answered(undefined),
  };
  readonly asking = new Asking(
    (listener) =>
      new LiveAnswers(
        this.clock,
        (sent) => {
          this.sent.push(sent);
          return true;
        },
        listener,
      ),
    this.api,
  );
  readonly opening = new Opening(this.asking.answers, this.api);
  readonly turns = new TurnTaking(this.asking, this.opening, this.api);

  hear(events: readonly string[]): void {
    for (const event of events) {
      const heard = readMessage(event);
      if (heard !== null) this.asking.answers.take(heard);
    }
  }

  /** Play the server for the last question. */
  answer(pieces: readonly string[], ending = 'completed'): void {
    this.hear(told(this.lastKey, pieces, ending).events);
  }

  get last(): Sent {
    return this.sent.at(-1) ?? {};
  }

  get lastKey(): string {
    return String(this.last['stream_id']);
  }

  private async answered<T>(value: T): Promise<T> {
    if (this.failure !== null) throw this.failure;
    return Promise.resolve(value);
  }
}

export function summary(id: string): SessionSummary {
  return {
    id,
    title: 'T',
    titleSource: 'words',
    isPinned: false,
    isRunning: false,
    createdAt: 1,
    updatedAt: 1,
    head: null,
    numMessages: 2,
    metadata: {},
  };
}

/** The messages in view. */
export function path(threadId: string): readonly Message[] {
  const thread = threadOf(threadId);
  return thread === undefined ? [] : pathOf(thread.tree);
}

/** A browser that has kept nothing, and one model. */
export function freshStart(): void {
  vi.stubGlobal('localStorage', new FakeStorage());
  threads.setState({ byId: {}, named: {} });
  models.setState({
    items: [{ id: 'demo', state: 'ready', reason: null, engine: null, quantization: null, contextLength: 1, loadingPercent: null, capabilities: [] }],
    state: 'ready',
    failure: null,
  });
}
