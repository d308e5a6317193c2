import { expect, test } from 'vitest';
import { numberSettings, readNumber, readStop, writtenStop } from '../../../src/components/number_settings';

const setting = (key: string) => {
  const found = numberSettings.find((each) => each.key === key);
  if (found === undefined) throw new Error(`no setting ${key}`);
  return found;
};

test('nothing typed is the default of the server', () => {
  for (const each of numberSettings) expect(readNumber(each, '  ')).toBeNull();
});

test('numbers within their range are taken and all else is not', () => {
  expect(readNumber(setting('temperature'), '0.2')).toBe(0.2);
  expect(readNumber(setting('topK'), '7')).toBe(7);
  for (const wrong of ['2.1', '-1', 'warm', '1e999', 'NaN']) expect(readNumber(setting('temperature'), wrong)).toBeUndefined();
  expect(readNumber(setting('topK'), '7.5')).toBeUndefined();
  expect(readNumber(setting('maxTokens'), '0')).toBeUndefined();
});

test('a stop sequence is the same after it was shown and read again', () => {
  for (const stop of ['\n\n', 'a,b', '\\n', 'tab\there', 'back\\slash', '\r\n', '\\']) {
    expect(readStop(writtenStop(stop))).toBe(stop);
    expect(writtenStop(stop)).not.toContain('\n');
  }
});

test('a backslash before anything else is one', () => {
  expect(readStop('C:\\dir')).toBe('C:\\dir');
});
