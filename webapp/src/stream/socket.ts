/**
 * One WebSocket that is always there again.
 *
 * How it works: it connects, and when the connection is lost it tries again after 0.5 s, 1 s, 2 s …
 * up to 15 s, each shortened by up to a half at random, so that not all clients come back at once.
 * The server sends a heartbeat every few seconds: a connection on which nothing comes for much
 * longer is dead, whatever the browser thinks.
 */

import type { Clock } from './clock';

/** One connection. */
export interface Wire {
  send(text: string): void;
  close(): void;
}

/** What happens on one connection. */
export interface WireListener {
  onOpen(): void;
  onMessage(frame: unknown): void;
  onClose(): void;
}

export type OpenWire = (listener: WireListener) => Wire;

export interface SocketListener {
  onOpen(): void;
  onMessage(frame: string): void;
  /** `hasOpened` false: the server may not be there, or may want a key. */
  onLost(hasOpened: boolean): void;
}

/** `retryAt`: when the next try is, on the clock. */
export type Watcher = (state: ConnectionState, retryAt: number | null) => void;
export type ConnectionState = 'closed' | 'connecting' | 'online' | 'reconnecting';

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
const OPENING_MS = 10_000;
const LEAST_SILENCE_MS = 25_000;
// A machine that slept saw a longer one.
const LONGEST_BEAT_MS = 60_000;
// A server may have longer heartbeats than ours: this many of the longest one seen.
const SILENT_BEATS = 2.5;

export class Socket {
  private readonly open: OpenWire;
  private readonly clock: Clock;
  private readonly listener: SocketListener;
  private wire: Wire | null = null;
  private isOpen = false;
  private numWires = 0;
  private failures = 0;
  private lastHeardAt = 0;
  private longestGapMs = 0;
  private cancelTimer: (() => void) | null = null;
  private stateNow: ConnectionState = 'closed';
  private readonly watchers = new Set<Watcher>();

  constructor(open: OpenWire, clock: Clock, listener: SocketListener) {
    this.open = open;
    this.clock = clock;
    this.listener = listener;
  }

  get state(): ConnectionState {
    return this.stateNow;
  }

  /** Be told of every change; the result ends it. */
  watch(watcher: Watcher): () => void {
    this.watchers.add(watcher);
    return () => {
      this.watchers.delete(watcher);
    };
  }

  /** Connect unless it is connected and alive; waits no longer for the next try. */
  connect(): void {
    if (this.wire !== null && !this.isSilent()) return;
    this.drop();
    this.cancelTimer?.();
    this.tell(this.stateNow === 'closed' ? 'connecting' : 'reconnecting', null);
    this.lastHeardAt = this.clock.now();
    this.wire = this.openNext();
    this.cancelTimer = this.clock.after(OPENING_MS, () => {
      this.lost();
    });
  }

  /** Close it for good, until `connect`. */
  close(): void {
    this.cancelTimer?.();
    this.drop();
    this.tell('closed', null);
  }

  /** Whether it could be sent. */
  send(text: string): boolean {
    if (!this.isOpen || this.wire === null) return false;
    this.wire.send(text);
    return true;
  }

  /** A connection that was given up may still call: nobody listens to it any more. */
  private openNext(): Wire {
    this.numWires += 1;
    const number = this.numWires;
    const current = (act: () => void): void => {
      if (number === this.numWires) act();
    };
    return this.open({
      onOpen: () => {
        current(() => {
          this.opened();
        });
      },
      onMessage: (frame) => {
        current(() => {
          this.heard(frame);
        });
      },
      onClose: () => {
        current(() => {
          this.lost();
        });
      },
    });
  }

  private opened(): void {
    this.isOpen = true;
    this.failures = 0;
    this.longestGapMs = 0;
    this.lastHeardAt = this.clock.now();
    this.watchSilence();
    this.tell('online', null);
    this.listener.onOpen();
  }

  private heard(frame: unknown): void {
    const now = this.clock.now();
    this.longestGapMs = Math.max(this.longestGapMs, Math.min(now - this.lastHeardAt, LONGEST_BEAT_MS));
    this.lastHeardAt = now;
    if (typeof frame === 'string') this.listener.onMessage(frame);
  }

  private lost(): void {
    const hasOpened = this.isOpen;
    this.drop();
    this.cancelTimer?.();
    const longest = Math.min(FIRST_WAIT_MS * 2 ** this.failures, LONGEST_WAIT_MS);
    const wait = longest * (0.5 + this.clock.random() / 2);
    this.failures += 1;
    this.cancelTimer = this.clock.after(wait, () => {
      this.connect();
    });
    this.tell('reconnecting', this.clock.now() + wait);
    this.listener.onLost(hasOpened);
  }

  private watchSilence(): void {
    this.cancelTimer?.();
    this.cancelTimer = this.clock.after(LEAST_SILENCE_MS / 5, () => {
      if (this.isSilent()) this.lost();
      else this.watchSilence();
    });
  }

  private isSilent(): boolean {
    const allowed = Math.max(LEAST_SILENCE_MS, SILENT_BEATS * this.longestGapMs);
    return this.isOpen && this.clock.now() - this.lastHeardAt > allowed;
  }

  private drop(): void {
    const { wire } = this;
    this.wire = null;
    this.isOpen = false;
    this.numWires += 1;
    wire?.close();
  }

  private tell(state: ConnectionState, retryAt: number | null): void {
    this.stateNow = state;
    for (const watcher of this.watchers) watcher(state, retryAt);
  }
}
