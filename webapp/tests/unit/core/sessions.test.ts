import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { exportSession, getTree } from '../../../src/api/resources';
import { deleteSession, finishDeletes, loadMoreSessions, loadSessions, pinSession, putSession, renameSession, sessions, undoDelete } from '../../../src/state/sessions';
import { announce, ui } from '../../../src/state/ui';
import { summary } from './core_chat';

/** The server's list of sessions behind `fetch`. */
class FakeServer {
  readonly asked: string[] = [];
  status = 200;
  private readonly titles = new Map([
    ['conv_1', 'One'],
    ['conv_2', 'Two'],
  ]);

  readonly fetch = async (input: string, init: RequestInit): Promise<Response> => {
    this.asked.push(`${init.method ?? 'GET'} ${input}`);
    await Promise.resolve();
    if (this.status !== 200) {
      return Response.json({ error: { message: 'No.', code: null } }, { status: this.status });
    }
    const id = /conv_\d/.exec(input)?.[0];
    if (id === undefined) return Response.json({ data: [...this.titles.keys()].map((each) => this.document(each)), has_more: false });
    const changes = JSON.parse(typeof init.body === 'string' ? init.body : '{}') as { x_conch?: { title?: string } };
    if (changes.x_conch?.title !== undefined) this.titles.set(id, changes.x_conch.title);
    return Response.json(this.document(id));
  };

  private document(id: string): object {
    return { id, created_at: 1, x_conch: { title: this.titles.get(id), updated_at: id === 'conv_2' ? 2 : 1 } };
  }
}

let server: FakeServer;

beforeEach(async () => {
  server = new FakeServer();
  vi.stubGlobal('fetch', server.fetch);
  sessions.setState({ items: [], hasMore: false, state: 'idle', failure: null });
  ui.setState({ toasts: [], announcement: '' });
  await loadSessions();
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const titles = (): readonly string[] => sessions.getState().items.map((each) => each.title);

test('the last changed is the first, and the pinned come before it', async () => {
  expect(titles()).toEqual(['Two', 'One']);

  const pinning = pinSession('conv_1', true);
  const atOnce = titles();
  await pinning;

  expect(atOnce).toEqual(['One', 'Two']);
});

test('a new name shows at once and stays', async () => {
  const renaming = renameSession('conv_1', 'Uno');
  const atOnce = titles();
  await renaming;

  expect(atOnce).toEqual(['Two', 'Uno']);
  expect(titles()).toEqual(['Two', 'Uno']);
});

test('a name that the server refuses is taken back, and it is said aloud', async () => {
  server.status = 500;

  await renameSession('conv_1', 'Uno');

  expect(titles()).toEqual(['Two', 'One']);
  expect(ui.getState().announcement).toBe('The name was not changed: No.');
  expect(ui.getState().toasts).toHaveLength(1);
});

test('a deleted session is gone at once and really deleted later', async () => {
  deleteSession('conv_1');
  const before = server.asked.filter((each) => each.startsWith('DELETE'));
  await vi.advanceTimersByTimeAsync(6000);

  expect(titles()).toEqual(['Two']);
  expect(before).toEqual([]);
  expect(server.asked.at(-1)).toBe('DELETE /v1/conversations/conv_1');
});

test('a delete that was taken back never reaches the server', async () => {
  deleteSession('conv_1');
  undoDelete('conv_1');
  await vi.advanceTimersByTimeAsync(10_000);

  expect(titles()).toEqual(['Two', 'One']);
  expect(server.asked.some((each) => each.startsWith('DELETE'))).toBe(false);
});

test('a session that is being deleted does not come back with the next list', async () => {
  deleteSession('conv_1');
  await loadSessions();

  expect(titles()).toEqual(['Two']);
  undoDelete('conv_1');
});

test('a page that is left deletes what waits for it', async () => {
  deleteSession('conv_1');
  finishDeletes();
  await vi.advanceTimersByTimeAsync(0);

  expect(server.asked.at(-1)).toBe('DELETE /v1/conversations/conv_1');
});

test('a session that the server does not delete is there again', async () => {
  deleteSession('conv_1');
  server.status = 500;
  await vi.advanceTimersByTimeAsync(6000);

  expect(titles()).toEqual(['Two', 'One']);
  expect(ui.getState().announcement).toContain('was not deleted');
});

test('an old session that came alone hides none of those before it', async () => {
  putSession({ ...summary('conv_0'), updatedAt: 0 });
  sessions.setState({ hasMore: true });

  await loadMoreSessions();

  expect(titles()).toEqual(['Two', 'One', 'T']);
  expect(server.asked.at(-1)).toContain('after=conv_1');
});

function brokenBody(): ReadableStream {
  return new ReadableStream({ pull: (controller) => controller.error(new TypeError('network error')) });
}

test('an answer of the server that breaks off is a failure that is told', async () => {
  vi.stubGlobal('fetch', async () => Promise.resolve(new Response(brokenBody())));

  await expect(exportSession('conv_1', 'json')).rejects.toThrow('broke off');
  await expect(getTree('conv_1')).rejects.toThrow('broke off');
});

test('what is said twice is heard twice', () => {
  const heard: string[] = [];
  const end = ui.subscribe(({ announcement }) => void heard.push(announcement.trim()));
  announce('Copied');
  announce('Copied');
  end();

  expect(heard).toEqual(['Copied', 'Copied']);
  expect(new Set([ui.getState().announcement, 'Copied']).size).toBe(2);
});
