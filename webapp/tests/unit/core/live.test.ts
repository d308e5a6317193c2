// @vitest-environment node
import { expect, test } from 'vitest';
import type { Failure } from '../../../src/api/failure';
import type { Answer } from '../../../src/api/parse';
import { LiveAnswers } from '../../../src/stream/live';
import { type ClientMessage, readMessage } from '../../../src/stream/protocol';
import { FakeClock } from './fake_clock';
import { told } from './frames';

function numbered(number: number, body: object): string {
  return JSON.stringify({ ...body, sequence_number: number, stream_id: 'k' });
}

class Desk {
  readonly clock = new FakeClock();
  readonly sent: ClientMessage[] = [];
  readonly calls: string[] = [];
  ended: Answer | null = null;
  refusal: Failure | null = null;
  isOnline = true;
  readonly live = new LiveAnswers(
    this.clock,
    (message) => {
      if (this.isOnline) this.sent.push(message);
      return this.isOnline;
    },
    {
      onOpened: (key, answer) => void this.calls.push(`opened ${key} ${answer.id}`),
      onEnded: (key, answer) => {
        this.calls.push(`ended ${key}`);
        this.ended = answer;
      },
      onRefused: (key, failure) => {
        this.calls.push(`refused ${key}`);
        this.refusal = failure;
      },
      onUncertain: (key) => void this.calls.push(`uncertain ${key}`),
    },
  );

  hear(...frames: readonly (string | undefined)[]): void {
    for (const frame of frames) {
      const message = readMessage(frame ?? '');
      if (message !== null) this.live.take(message);
    }
    this.clock.paint();
  }

  shown(key: string): string {
    return this.live.snapshot(key)?.parts.map((part) => part.text).join('') ?? '';
  }
}

test('an answer grows with its events and leaves with its end', () => {
  const desk = new Desk();
  const { events } = told('k', ['Good', ' day', '!']);

  desk.live.ask('k', { input: 'Hello' });
  desk.hear(...events.slice(0, 7));
  const halfway = desk.shown('k');
  desk.hear(...events.slice(7));

  expect(halfway).toBe('Good day');
  expect(desk.live.snapshot('k')).toBeNull();
  expect(desk.calls).toEqual(['opened k resp_1', 'ended k']);
  expect(desk.ended?.parts).toEqual([{ kind: 'text', id: 'msg_1', text: 'Good day!' }]);
  expect(desk.ended?.stats?.ttftMs).toBe(2.5);
});

test('an event that comes twice, or after later ones, changes nothing', () => {
  const desk = new Desk();
  const { events } = told('k', ['a', 'b', 'c']);
  desk.live.ask('k', {});

  desk.hear(...events.slice(0, 7), events[5], events[6], events[3], ...events.slice(0, 7));

  expect(desk.shown('k')).toBe('ab');
});

test('a gap is filled by asking for all after the last event', () => {
  const desk = new Desk();
  const { events } = told('k', ['a', 'b', 'c', 'd']);
  desk.live.ask('k', {});

  desk.hear(...events.slice(0, 6), ...events.slice(7, 9));
  expect(desk.shown('k')).toBe('a');
  expect(desk.sent.slice(1)).toEqual([{ type: 'response.resume', stream_id: 'k', count_tokens: true, response_id: 'resp_1', starting_after: 5 }]);
  desk.hear(...events.slice(6, 9));

  expect(desk.shown('k')).toBe('abcd');
});

test('wherever the connection is cut, no character is lost or doubled', () => {
  const { events, text } = told('k', ['One', ' two', ' three', ' four', '.']);
  for (let cut = 1; cut < events.length; cut += 1) {
    const desk = new Desk();
    desk.live.ask('k', {});
    desk.hear(...events.slice(0, cut));
    desk.live.connected();
    const resumed = desk.sent.at(-1);
    desk.hear(...events.slice(cut));

    expect(resumed).toEqual({ type: 'response.resume', stream_id: 'k', count_tokens: true, response_id: 'resp_1', starting_after: cut - 1 });
    expect(desk.ended?.parts[0]?.text).toBe(text);
  }
});

test('an answer that was found running is told from its beginning', () => {
  const desk = new Desk();
  const { events } = told('resp_1', ['a', 'b']);

  desk.live.follow('resp_1', 'resp_1');
  desk.live.follow('resp_1', 'resp_1');
  desk.hear(...events.slice(0, 7));

  expect(desk.sent).toEqual([{ type: 'response.resume', stream_id: 'resp_1', count_tokens: true, response_id: 'resp_1' }]);
  expect(desk.shown('resp_1')).toBe('ab');
});

test('how long the first token took is told only where the question was asked', () => {
  const [here, elsewhere] = [new Desk(), new Desk()];
  here.live.ask('k', { input: 'Hello' });
  here.hear(...told('k', ['a', 'b']).events.slice(0, 7));
  elsewhere.live.follow('k', 'resp_1');
  elsewhere.hear(...told('k', ['a', 'b']).events.slice(0, 7));

  expect(here.live.snapshot('k')?.firstAt).not.toBeNull();
  expect(elsewhere.live.snapshot('k')?.firstAt).toBeNull();
});

test('what is asked without a connection is sent with the next one, once', () => {
  const desk = new Desk();
  desk.isOnline = false;

  desk.live.ask('k', { input: 'Hello' });
  desk.isOnline = true;
  desk.live.connected();

  expect(desk.sent).toEqual([{ type: 'response.create', stream_id: 'k', count_tokens: true, input: 'Hello' }]);
  expect(desk.calls).toEqual([]);
});

test('a question whose fate is unknown is not sent again unasked', () => {
  const desk = new Desk();
  desk.live.ask('k', { input: 'Hello' });

  desk.live.connected();
  expect(desk.sent).toHaveLength(1);
  expect(desk.calls).toEqual(['uncertain k']);
  desk.live.confirm('k', 'resp_1');

  expect(desk.sent.at(-1)).toEqual({ type: 'response.resume', stream_id: 'k', count_tokens: true, response_id: 'resp_1' });
});

test('nothing is shown after a stop, and the end is what the server has', () => {
  const desk = new Desk();
  const { events } = told('k', ['a', 'b', 'c'], 'cancelled');
  desk.live.ask('k', {});
  desk.hear(...events.slice(0, 6));

  desk.live.stop('k');
  desk.hear(...events.slice(6, 8));
  const shown = desk.shown('k');
  desk.hear(...events.slice(8));

  expect(desk.sent.at(-1)).toEqual({ type: 'response.cancel', response_id: 'resp_1' });
  expect(shown).toBe('a');
  expect(desk.ended?.status).toBe('cancelled');
});

test('a stop before the server has answered is sent as soon as there is something to stop', () => {
  const desk = new Desk();
  desk.live.ask('k', {});

  desk.live.stop('k');
  expect(desk.sent).toHaveLength(1);
  desk.hear(told('k', []).events[0]);

  expect(desk.sent.at(-1)).toEqual({ type: 'response.cancel', response_id: 'resp_1' });
});

test('a refusal says why and when to try again', () => {
  const desk = new Desk();
  desk.live.ask('k', {});

  desk.hear('{"type":"error","status":429,"error":{"code":"rate_limit_exceeded","message":"Slowly."},"retry_after":7,"stream_id":"k"}');

  expect(desk.calls).toEqual(['refused k']);
  expect(desk.refusal).toEqual({ status: 429, code: 'rate_limit_exceeded', message: 'Slowly.', param: null, retryAfterS: 7 });
  expect(desk.live.has('k')).toBe(false);
});

test('when only the reader fails, the answer is come back to', () => {
  const desk = new Desk();
  const { events } = told('k', ['a', 'b']);
  desk.live.ask('k', {});
  desk.hear(...events.slice(0, 6));

  desk.hear('{"type":"error","status":503,"error":{"code":"store_unavailable","message":"Away."},"stream_id":"k","response_id":"resp_1"}');
  desk.clock.pass(2000);
  desk.hear(...events.slice(6));

  expect(desk.sent.at(-1)).toEqual({ type: 'response.resume', stream_id: 'k', count_tokens: true, response_id: 'resp_1', starting_after: 5 });
  expect(desk.calls).toEqual(['opened k resp_1', 'ended k']);
});

test('an answer that is gone is told of', () => {
  const desk = new Desk();
  desk.live.follow('k', 'resp_1');

  desk.hear('{"type":"error","status":404,"error":{"code":null,"message":"Not found."},"stream_id":"k"}');

  expect(desk.calls).toEqual(['refused k']);
});

test('heartbeats and what is not known change nothing', () => {
  const desk = new Desk();
  desk.live.ask('k', {});

  desk.hear('{"type":"heartbeat"}', 'no json', '[]', '{"type":"response.new_kind"}', '{"type":"error","status":400,"error":{}}');

  expect(desk.live.snapshot('k')?.phase).toBe('sending');
});

test('the phases are sending, queued, waiting, writing', () => {
  const desk = new Desk();
  const { events } = told('k', ['a']);
  desk.live.ask('k', {});
  const phases = [desk.live.snapshot('k')?.phase];

  for (const event of events.slice(0, 6)) {
    desk.hear(event);
    phases.push(desk.live.snapshot('k')?.phase);
  }

  expect([...new Set(phases)]).toEqual(['sending', 'queued', 'waiting', 'writing']);
});

test('the live rate is that of the tokens which the server has counted in the last seconds', () => {
  const desk = new Desk();
  const { events } = told('k', ['several tokens at once']);
  desk.live.ask('k', {});
  desk.hear(...events.slice(0, 6));
  const rates: (number | null | undefined)[] = [];

  for (const [ms, tokens] of [[0, 4], [500, 8], [4000, 300], [500, 320], [500, 340]] as const) {
    desk.clock.pass(ms);
    desk.hear(JSON.stringify({ type: 'heartbeat', tokens: { resp_1: tokens, resp_2: 7 } }));
    rates.push(desk.live.snapshot('k')?.rate);
  }

  expect(rates).toEqual([null, 8, null, 40, 40]);
});

test('parts that are complete stay the same objects', () => {
  const desk = new Desk();
  desk.live.follow('k', 'resp_1');
  desk.hear(
    numbered(0, { type: 'response.created', response: { id: 'resp_1' } }),
    numbered(1, { type: 'response.output_item.added', output_index: 0, item: { id: 'rs_1', type: 'reasoning', content: [] } }),
    numbered(2, { type: 'response.reasoning_text.delta', output_index: 0, delta: 'Hm.' }),
    numbered(3, { type: 'response.output_item.added', output_index: 1, item: { id: 'msg_1', type: 'message', content: [] } }),
    numbered(4, { type: 'response.output_text.delta', output_index: 1, delta: 'A' }),
  );
  const before = desk.live.snapshot('k');
  desk.hear(numbered(5, { type: 'response.output_text.delta', output_index: 1, delta: 'h' }));
  const after = desk.live.snapshot('k');

  expect(after?.parts[0]).toBe(before?.parts[0]);
  expect(after?.parts[1]?.text).toBe('Ah');
});
