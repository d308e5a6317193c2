import { expect, test } from 'vitest';
import type { Model, SessionSummary } from '../../../src/api/types';
import { hintFor } from '../../../src/components/model_picker';
import { groupsOf } from '../../../src/components/session_list';

const NOON = new Date(2026, 10, 22, 12).getTime() / 1000;
const HOUR = 3600;

const session = (id: string, updatedAt: number, isPinned = false): SessionSummary => ({
  id,
  title: id,
  titleSource: 'words',
  isPinned,
  isRunning: false,
  createdAt: updatedAt,
  updatedAt,
  head: null,
  numMessages: 1,
  metadata: {},
});

const model: Model = {
  id: 'demo',
  state: 'ready',
  reason: null,
  engine: 'openvino',
  quantization: 'int8',
  contextLength: 2048,
  loadingPercent: null,
  capabilities: [],
};

test('the pinned come first, then each day by the calendar', () => {
  const items = [
    session('pinned', NOON - 90 * 24 * HOUR, true),
    session('now', NOON),
    session('morning', NOON - 11 * HOUR),
    session('last night', NOON - 13 * HOUR),
    session('monday', NOON - 5 * 24 * HOUR),
    session('summer', NOON - 120 * 24 * HOUR),
  ];

  const shown = groupsOf(items, NOON).map(({ name, items: inIt }) => [name, inIt.map(({ id }) => id)]);

  expect(shown).toEqual([
    ['Pinned', ['pinned']],
    ['Today', ['now', 'morning']],
    ['Yesterday', ['last night']],
    ['Previous 7 days', ['monday']],
    ['Older', ['summer']],
  ]);
});

test('a model says its state, and why it is not ready', () => {
  expect(hintFor(model)).toBe('Ready · int8 · 2,048 tokens of context');
  expect(hintFor({ ...model, state: 'failed', reason: 'out of memory', quantization: null, contextLength: null })).toBe(
    'Failed: out of memory',
  );
  expect(hintFor({ ...model, engine: 'simulated', contextLength: null })).toContain('simulated');
  expect(hintFor({ ...model, state: 'loading', loadingPercent: 40 })).toContain('Loading, 40 % ·');
});
