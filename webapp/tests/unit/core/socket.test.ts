// @vitest-environment node
import { expect, test } from 'vitest';
import { Socket, type WireListener } from '../../../src/stream/socket';
import { FakeClock } from './fake_clock';

interface Line {
  readonly listener: WireListener;
  readonly sent: string[];
  isClosed: boolean;
}

function socketWith(): { clock: FakeClock; socket: Socket; lines: Line[]; calls: string[] } {
  const clock = new FakeClock();
  const lines: Line[] = [];
  const calls: string[] = [];
  const open = (listener: WireListener): { send: (text: string) => void; close: () => void } => {
    const line: Line = { listener, sent: [], isClosed: false };
    lines.push(line);
    return {
      send: (text) => void line.sent.push(text),
      close() {
        line.isClosed = true;
      },
    };
  };
  const socket = new Socket(open, clock, {
    onOpen: () => void calls.push('open'),
    onMessage: (frame) => void calls.push(frame),
    onLost: (hasOpened) => void calls.push(hasOpened ? 'lost' : 'never opened'),
  });
  return { clock, socket, lines, calls };
}

function at<T>(items: readonly T[], index: number): T {
  const item = items.at(index);
  if (item === undefined) throw new Error(`nothing at ${index}`);
  return item;
}

test('nothing is sent before it is open', () => {
  const { socket, lines } = socketWith();

  socket.connect();
  expect(socket.send('early')).toBe(false);
  at(lines, 0).listener.onOpen();

  expect(socket.send('now')).toBe(true);
  expect(at(lines, 0).sent).toEqual(['now']);
});

test('a lost connection is made again, after longer and longer times', () => {
  const { clock, socket, lines } = socketWith();
  const waits: number[] = [];
  socket.watch((_, retryAt) => {
    if (retryAt !== null) waits.push(retryAt - clock.now());
  });

  socket.connect();
  for (let number = 0; number < 8; number += 1) {
    at(lines, -1).listener.onClose();
    clock.pass(20_000);
  }

  // The half of the longest, as the fake dice always show 0.
  expect(waits.slice(0, 8)).toEqual([250, 500, 1000, 2000, 4000, 7500, 7500, 7500]);
});

test('a connection that opened begins with the shortest wait again', () => {
  const { clock, socket, lines } = socketWith();

  socket.connect();
  at(lines, 0).listener.onClose();
  clock.pass(250);
  at(lines, 1).listener.onOpen();
  at(lines, 1).listener.onClose();
  clock.pass(250);

  expect(lines).toHaveLength(3);
});

test('a server that never lets us in is told apart from one that is lost', () => {
  const { socket, lines, calls, clock } = socketWith();

  socket.connect();
  at(lines, 0).listener.onClose();
  clock.pass(250);
  at(lines, 1).listener.onOpen();
  at(lines, 1).listener.onClose();

  expect(calls).toEqual(['never opened', 'open', 'lost']);
});

test('a connection on which nothing comes is given up', () => {
  const { clock, socket, lines, calls } = socketWith();
  socket.connect();
  at(lines, 0).listener.onOpen();

  clock.pass(20_000);
  at(lines, 0).listener.onMessage('beat');
  clock.pass(20_000);
  expect(calls).toEqual(['open', 'beat']);
  clock.pass(60_000);

  expect(calls[2]).toBe('lost');
  expect(at(lines, 0).isClosed).toBe(true);
});

test('a server with slow heartbeats is waited for', () => {
  const { clock, socket, lines, calls } = socketWith();
  socket.connect();
  at(lines, 0).listener.onOpen();

  clock.pass(24_000);
  at(lines, 0).listener.onMessage('beat');
  clock.pass(50_000);

  expect(calls).toEqual(['open', 'beat']);
});

test('whoever asks for it is connected at once', () => {
  const { socket, lines } = socketWith();
  socket.connect();
  at(lines, 0).listener.onClose();

  socket.connect();
  socket.connect();

  expect(lines).toHaveLength(2);
});

test('a connection that was given up is not listened to', () => {
  const { socket, lines, calls } = socketWith();
  socket.connect();
  at(lines, 0).listener.onOpen();

  socket.close();
  at(lines, 0).listener.onMessage('late');
  at(lines, 0).listener.onClose();

  expect(calls).toEqual(['open']);
  expect(socket.state).toBe('closed');
});
