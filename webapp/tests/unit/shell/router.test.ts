import { expect, test } from 'vitest';
import { pathOfSession, routeOf } from '../../../src/router';

test('the root is a new chat', () => {
  expect(routeOf('/')).toEqual({ name: 'chat', sessionId: null, messageId: null });
});

test('a conversation is found again by the address that is made of it, whatever its id', () => {
  for (const id of ['conv_1', 'a:b@c+d', 'with space', 'Zeichen/ß#?']) {
    expect(routeOf(pathOfSession(id))).toEqual({ name: 'chat', sessionId: id, messageId: null });
    expect(routeOf(pathOfSession(id, 'msg#1'))).toEqual({ name: 'chat', sessionId: id, messageId: 'msg#1' });
  }
});

test('the usage has an address, and what is no address of ours is missing', () => {
  expect(routeOf('/usage').name).toBe('usage');
  for (const address of ['/c/', '/c/a/b', '/nowhere', '/c/%E0%A4%A']) expect(routeOf(address).name).toBe('missing');
});
