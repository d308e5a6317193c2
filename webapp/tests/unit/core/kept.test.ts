import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { draftOf, drafts, hideDraft, saveDrafts, setDraft } from '../../../src/state/drafts';
import { prefs, followPrefs, setPrefs } from '../../../src/state/prefs';
import { changeSettings, defaultSettings, PLAIN_SETTINGS, setDefaultSettings, followSettings, settings, settingsOf } from '../../../src/state/settings';
import { emptyThread, putThread, threads } from '../../../src/state/threads';
import { fileName } from '../../../src/state/copies';
import { FakeStorage } from './fake_storage';

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('localStorage', new FakeStorage());
  threads.setState({ byId: {}, named: {} });
  saveDrafts();
  localStorage.clear();
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
  setDraft('conv_1', '');

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

test('the drafts of another tab are kept with those of this one', () => {
  localStorage.setItem('conch.drafts', '{"conv_1":"of the other tab","conv_2":"before"}');
  setDraft('conv_2', 'of this tab');
  saveDrafts();

  expect(kept()).toEqual({ conv_1: 'of the other tab', conv_2: 'of this tab' });
});

test('a question is kept while it is on its way, however quickly it was sent', () => {
  setDraft('conv_1', 'Hello');
  hideDraft('conv_1');

  expect(draftOf('conv_1')).toBe('');
  expect(kept()).toEqual({ conv_1: 'Hello' });
});

test('a page that is left keeps what waited for the end of an answer', () => {
  putThread({ ...emptyThread('conv_1'), queued: [{ key: 'queued-1', text: 'Next' }] });
  setDraft('conv_1', 'And then');
  saveDrafts();

  expect(kept()).toEqual({ conv_1: 'Next\n\nAnd then' });
});

test('what another tab has kept is not undone by the next change here', () => {
  vi.stubGlobal('document', { documentElement: { dataset: {} } });
  vi.stubGlobal('matchMedia', () => ({ matches: false }));
  const page = new EventTarget();
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
  vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page));
  const ends = [followPrefs(), followSettings()];
  const elsewhere = (name: string, value: object): void => {
    localStorage.setItem(name, JSON.stringify(value));
    page.dispatchEvent(Object.assign(new Event('storage'), { key: name }));
  };

  elsewhere('conch.prefs', { presets: [{ id: '1', name: 'Pirate', prompt: 'Talk like one.' }] });
  elsewhere('conch.settings', { bySession: { conv_2: { temperature: 0.5 } } });
  setPrefs({ showStats: false });
  changeSettings('conv_1', { temperature: 0.2 });
  for (const end of ends) end();

  expect(prefs.getState().presets.map((preset) => preset.name)).toEqual(['Pirate']);
  expect(localStorage.getItem('conch.prefs')).toContain('Pirate');
  expect(localStorage.getItem('conch.settings')).toContain('conv_2');
  vi.unstubAllGlobals();
});
