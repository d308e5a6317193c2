import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { clearDraft, draftOf, drafts, saveDrafts, setDraft } from '../../../src/state/drafts';
import { changeSettings, defaultSettings, PLAIN_SETTINGS, setDefaultSettings, settings, settingsOf } from '../../../src/state/settings';
import { fileName } from '../../../src/state/copies';
import { FakeStorage } from './fake_storage';

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('localStorage', new FakeStorage());
  drafts.setState({}, true);
  settings.setState({ defaults: PLAIN_SETTINGS, bySession: {} });
});

afterEach(() => {
  vi.useRealTimers();
});

const kept = (): unknown => JSON.parse(localStorage.getItem('conch.drafts') ?? 'null');

test('a draft is kept a moment after the last key', () => {
  setDraft('conv_1', 'He');
  vi.advanceTimersByTime(200);
  setDraft('conv_1', 'Hello');
  vi.advanceTimersByTime(200);
  const tooEarly = kept();
  vi.advanceTimersByTime(100);

  expect(tooEarly).toBeNull();
  expect(kept()).toEqual({ conv_1: 'Hello' });
});

test('each session has a draft of its own', () => {
  setDraft('conv_1', 'One');
  setDraft('conv_2', 'Two');
  clearDraft('conv_1');

  expect([draftOf('conv_1'), draftOf('conv_2')]).toEqual(['', 'Two']);
});

test('a page that is left keeps its drafts at once', () => {
  setDraft('conv_1', 'Hello');
  saveDrafts();

  expect(kept()).toEqual({ conv_1: 'Hello' });
});

test('of too many drafts the oldest go', () => {
  for (let number = 0; number < 60; number += 1) setDraft(`conv_${number}`, 'x');
  setDraft('conv_0', 'changed');
  saveDrafts();

  const names = Object.keys(kept() as object);
  expect(names).toHaveLength(50);
  expect(names).toContain('conv_0');
  expect(names).not.toContain('conv_1');
});

test('settings belong to their session and are kept', () => {
  changeSettings('conv_1', { temperature: 0.2, stop: ['a,b'] });

  expect(settingsOf('conv_1')).toMatchObject({ temperature: 0.2, stop: ['a,b'] });
  expect(settingsOf('conv_2')).toEqual(PLAIN_SETTINGS);
  expect(localStorage.getItem('conch.settings')).toContain('"temperature":0.2');
});

test('new defaults hold where nothing was chosen', () => {
  changeSettings('conv_1', { temperature: 0.2 });
  setDefaultSettings({ ...defaultSettings(), temperature: 1 });

  expect([settingsOf('conv_1').temperature, settingsOf('conv_2').temperature]).toEqual([0.2, 1]);
});

test('a title becomes the name of a file', () => {
  expect(fileName(' Café: “Ünïcode”/.. ')).toBe('café-ünïcode');
  expect(fileName('../..')).toBe('conversation');
  expect(fileName('x'.repeat(100))).toHaveLength(60);
});
