/** The events of one response, as the server writes them. */

export interface Told {
  readonly events: readonly string[];
  readonly text: string;
}

/** All events of a response that says these pieces. */
export function told(streamId: string, pieces: readonly string[], ending = 'completed'): Told {
  const id = 'resp_1';
  const text = pieces.join('');
  const item = { id: 'msg_1', type: 'message', role: 'assistant', content: [] };
  const output = [{ ...item, content: [{ type: 'output_text', text }] }];
  const facts = { id, model: 'demo', created_at: 7, x_conch: { session_id: 'conv_1', parent_id: 'msg_0', saved: true, num_dropped: 0 } };
  const usage = { input_tokens: 3, output_tokens: pieces.length, x_conch: { queue_ms: 1, ttft_ms: 2.5, tokens_per_second: 90.5 } };
  const bodies: readonly object[] = [
    { type: 'response.created', response: { ...facts, status: 'queued', output: [] } },
    { type: 'response.queued', response: { ...facts, status: 'queued', output: [] } },
    { type: 'response.in_progress', response: { ...facts, status: 'in_progress', output: [] } },
    { type: 'response.output_item.added', output_index: 0, item },
    { type: 'response.content_part.added', output_index: 0 },
    ...pieces.map((delta) => ({ type: 'response.output_text.delta', output_index: 0, delta })),
    { type: 'response.output_text.done', output_index: 0, text },
    { type: 'response.output_item.done', output_index: 0, item: output[0] },
    {
      type: ending === 'completed' ? 'response.completed' : ending === 'failed' ? 'response.failed' : 'response.incomplete',
      response: { ...facts, status: ending, output, usage, error: ending === 'failed' ? { code: 'engine_failure', message: 'It broke.' } : null },
    },
  ];
  const events = bodies.map((body, number) => JSON.stringify({ ...body, sequence_number: number, stream_id: streamId, response_id: id }));
  return { events, text };
}
