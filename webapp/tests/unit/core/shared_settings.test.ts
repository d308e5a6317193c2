import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { SessionSummary } from '../../../src/api/types';
import { putSession, sessions } from '../../../src/state/sessions';
import { changeSettings, putSettings, PLAIN_SETTINGS, settingsOf } from '../../../src/state/settings';
import { SharedSettings } from '../../../src/state/shared_settings';
import { emptyThread, putThread, threads } from '../../../src/state/threads';
import { ui } from '../../../src/state/ui';
import { summary } from './core_chat';
import { FakeClock } from './fake_clock';
import { FakeStorage } from './fake_storage';

type Metadata = Readonly<Record<string, string>>;

/** The server's part: one conversation with metadata. */
class FakeServer {
  metadata: Metadata = { topic: 'theirs' };
  readonly getSession = async (id: string): Promise<SessionSummary> => Promise.resolve({ ...summary(id), metadata: this.metadata });
  readonly changeMetadata = async (id: string, metadata: Metadata): Promise<SessionSummary> => {
    this.metadata = metadata;
    return this.getSession(id);
  };
}

let server: FakeServer;
let clock: FakeClock;
let end: () => void;

beforeEach(() => {
  vi.stubGlobal('localStorage', new FakeStorage());
  threads.setState({ byId: {}, named: {} });
  sessions.setState({ items: [] });
  ui.setState({ toasts: [] });
  putSettings('conv_1', PLAIN_SETTINGS);
  putThread(emptyThread('conv_1'));
  server = new FakeServer();
  clock = new FakeClock();
  end = new SharedSettings(server, clock).start();
});

afterEach(() => end());

/** Let what was changed reach the server. */
async function sent(): Promise<void> {
  clock.pass(1000);
  await expect.poll(() => localStorage.getItem('conch.unsent_settings')).toBe('[]');
}

test('another browser has the settings of a conversation, however long and in whatever language', async () => {
  const systemPrompt = 'Sprich wie ein Pirat! 🏴‍☠️ \n'.repeat(40);
  changeSettings('conv_1', { systemPrompt, temperature: 0.2, stop: ['\n\n'], model: 'demo' });
  await sent();

  const pieces = Object.values(server.metadata);
  putSettings('conv_1', PLAIN_SETTINGS);
  const endOther = new SharedSettings(server, clock).start();
  putSession(await server.getSession('conv_1'));
  endOther();

  expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThanOrEqual(512);
  expect(server.metadata['topic']).toBe('theirs');
  expect(settingsOf('conv_1')).toEqual({ ...PLAIN_SETTINGS, systemPrompt, temperature: 0.2, stop: ['\n\n'], model: 'demo' });
});

test('what the server tells does not undo a change that is on its way there', async () => {
  changeSettings('conv_1', { temperature: 0.2 });
  await sent();
  changeSettings('conv_1', { temperature: 0.9 });

  putSession(await server.getSession('conv_1'));

  expect(settingsOf('conv_1').temperature).toBe(0.9);
});

test('a change that was not sent when the page was left is sent at the next visit', async () => {
  changeSettings('conv_1', { temperature: 0.2 });
  end();

  clock = new FakeClock();
  end = new SharedSettings(server, clock).start();
  await sent();

  expect(server.metadata['conch_settings0']).toBe('{"temperature":0.2}');
});

test('a system prompt that the server has no room for stays here, and that is said', async () => {
  changeSettings('conv_1', { systemPrompt: 'x'.repeat(7000) });
  await sent();

  expect(server.metadata).toEqual({ topic: 'theirs' });
  expect(ui.getState().toasts.map((toast) => toast.text)).toEqual(['The settings are kept in this browser only: They are too long.']);
});
