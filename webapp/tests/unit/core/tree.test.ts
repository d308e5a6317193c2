// @vitest-environment node
import { expect, test } from 'vitest';
import type { Message } from '../../../src/tree/message';
import { EMPTY_TREE, type Tree, childrenOf, leafUnder, merged, pathOf, renamed, siblingsOf, withHead, withMessage, without } from '../../../src/tree/tree';
import { message } from './messages';

function treeOf(head: string | null, ...messages: readonly Message[]): Tree {
  return messages.reduce((tree, each) => withMessage(tree, each), { ...EMPTY_TREE, head });
}

const BRANCHED = treeOf(
  'a2',
  message('u1', null),
  message('a1', 'u1'),
  message('u2', 'a1'),
  message('a2', 'u2'),
  message('a1b', 'u1'),
  message('u3', 'a1b'),
);

const HERE = {
  keepsHead: false,
  isGrowing: (key: string): boolean => key === 'live',
  idsBefore: new Set(['u1', 'a1', 'gone', 'u2', 'a2', 'a1b', 'u3']),
};
const ids = (tree: Tree): readonly string[] => pathOf(tree).map((each) => each.id);

test('the path leads from the first message to the head', () => {
  expect(ids(BRANCHED)).toEqual(['u1', 'a1', 'u2', 'a2']);
  expect(ids(withHead(BRANCHED, 'u3'))).toEqual(['u1', 'a1b', 'u3']);
  expect(ids(withHead(BRANCHED, null))).toEqual([]);
  expect(ids(withHead(BRANCHED, 'unknown'))).toEqual([]);
});

test('siblings are in the order in which they came', () => {
  expect(siblingsOf(BRANCHED, 'a1b')).toEqual(['a1', 'a1b']);
  expect(siblingsOf(BRANCHED, 'u1')).toEqual(['u1']);
  expect(childrenOf(BRANCHED, null)).toEqual(['u1']);
});

test('a branch is shown down to its newest end', () => {
  expect(leafUnder(BRANCHED, 'a1')).toBe('a2');
  expect(leafUnder(BRANCHED, 'a1b')).toBe('u3');
  expect(leafUnder(BRANCHED, 'u1')).toBe('u3');
});

test('a message that gets its id keeps its key, its place and what follows it', () => {
  const local = treeOf('l2', message('l1', null), message('l2', 'l1', { role: 'assistant' }));

  const named = renamed(renamed(local, 'l2', { id: 'resp_1' }), 'l1', { id: 'msg_1' });

  expect(ids(named)).toEqual(['msg_1', 'resp_1']);
  expect(pathOf(named).map((each) => each.key)).toEqual(['l1', 'l2']);
});

test('a message that the tree has already heard of is not there twice when it gets its id', () => {
  const both = treeOf('l1', message('msg_0', null), message('l1', 'msg_0'), message('msg_1', 'msg_0'));

  const named = renamed(both, 'l1', { id: 'msg_1' });

  expect(childrenOf(named, 'msg_0')).toEqual(['msg_1']);
  expect(named.messages.get('msg_1')?.key).toBe('l1');
});

test('what was taken back leaves with all that followed it', () => {
  const tree = without(BRANCHED, 'a1', 'a1b');

  expect([...tree.messages.keys()]).toEqual(['u1', 'a1b', 'u3']);
  expect(tree.head).toBe('a1b');
});

test('the server knows best what there is, and what waits here stays', () => {
  const here = treeOf('l1', message('u1', null), message('gone', 'u1'), message('l1', 'u1', { status: 'sending' }));

  const tree = merged(here, { head: 'a1', messages: [message('u1', null), message('a1', 'u1')] }, { ...HERE, keepsHead: true });

  expect([...tree.messages.keys()]).toEqual(['u1', 'a1', 'l1']);
  expect(tree.head).toBe('l1');
});

test('the view follows the server unless something is done here', () => {
  const here = treeOf('u1', message('u1', null));
  const server = { head: 'a1', messages: [message('u1', null), message('a1', 'u1')] };

  expect(merged(here, server, HERE).head).toBe('a1');
  expect(merged(here, server, { ...HERE, keepsHead: true }).head).toBe('u1');
});

test('a tree that was read before the end does not set an answer running again', () => {
  const here = treeOf('a1', message('u1', null), message('a1', 'u1', { key: 'k', status: 'completed' }));

  const tree = merged(here, { head: 'a1', messages: [message('u1', null), message('a1', 'u1', { status: 'in_progress' })] }, HERE);

  expect(tree.messages.get('a1')?.status).toBe('completed');
});

test('an answer that ended elsewhere ends here, under its key', () => {
  const here = treeOf('a1', message('u1', null), message('a1', 'u1', { key: 'k', status: 'in_progress' }));

  const tree = merged(here, { head: 'a1', messages: [message('u1', null), message('a1', 'u1')] }, HERE);

  expect(tree.messages.get('a1')).toMatchObject({ key: 'k', status: 'completed' });
});

test('an answer that is still told here ends with what it is told', () => {
  const here = treeOf('a1', message('u1', null), message('a1', 'u1', { key: 'live', status: 'in_progress' }));

  const tree = merged(here, { head: 'a1', messages: [message('u1', null), message('a1', 'u1')] }, HERE);

  expect(tree.messages.get('a1')?.status).toBe('in_progress');
});

test('what came while the server was asked stays, and in view', () => {
  const here = treeOf('a9', message('u1', null), message('a9', 'u1', { key: 'k' }));

  const tree = merged(here, { head: 'u1', messages: [message('u1', null)] }, HERE);

  expect(tree.messages.has('a9')).toBe(true);
  expect(tree.head).toBe('a9');
});

test('what has not changed stays the same object', () => {
  const tree = merged(BRANCHED, { head: 'a2', messages: [...BRANCHED.messages.values()].map((each) => ({ ...each })) }, HERE);

  expect(tree.messages.get('a1')).toBe(BRANCHED.messages.get('a1'));
});

test('a ring of parents does not hang the page', () => {
  const ring = treeOf('b', message('a', 'b'), message('b', 'a'));

  expect(pathOf(ring).length).toBeLessThanOrEqual(2);
});
