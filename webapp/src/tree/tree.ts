/** The tree of a session's messages: pure functions, every change is a new tree. */

import type { SessionTree } from '../api/types';
import { type Message, isRunning } from './message';

export interface Tree {
  readonly messages: ReadonlyMap<string, Message>;
  /** The message in view: the path to it from the first one is what is shown. */
  readonly head: string | null;
}

export const EMPTY_TREE: Tree = { messages: new Map(), head: null };

/** The messages from the first one to the head; those that were deleted keep their place. */
export function pathOf(tree: Tree): readonly Message[] {
  const path: Message[] = [];
  let next = tree.head === null ? undefined : tree.messages.get(tree.head);
  while (next !== undefined && path.length < tree.messages.size) {
    path.push(next);
    next = next.parentId === null ? undefined : tree.messages.get(next.parentId);
  }
  return path.toReversed();
}

type Children = ReadonlyMap<string | null, readonly string[]>;

const NONE: readonly string[] = [];
/** Of each set of messages: a long thread asks for the siblings of every message in view. */
const knownChildren = new WeakMap<ReadonlyMap<string, Message>, Children>();

function allChildren(messages: ReadonlyMap<string, Message>): Children {
  const known = knownChildren.get(messages);
  if (known !== undefined) return known;
  const children = new Map<string | null, string[]>();
  for (const { id, parentId, isDeleted } of messages.values()) {
    if (isDeleted) continue;
    const siblings = children.get(parentId);
    if (siblings === undefined) children.set(parentId, [id]);
    else siblings.push(id);
  }
  knownChildren.set(messages, children);
  return children;
}

/** The ids of the messages that follow this one, the oldest first; null: the first messages. */
export function childrenOf(tree: Tree, parentId: string | null): readonly string[] {
  return allChildren(tree.messages).get(parentId) ?? NONE;
}

/** The ids of the messages in this one's place, itself among them, the oldest first. */
export function siblingsOf(tree: Tree, id: string): readonly string[] {
  const message = tree.messages.get(id);
  return message === undefined ? [] : childrenOf(tree, message.parentId);
}

/** The end of the newest way on from this message. */
export function leafUnder(tree: Tree, id: string): string {
  const newestChild = new Map<string, string>();
  for (const message of tree.messages.values()) {
    if (message.parentId !== null && !message.isDeleted) newestChild.set(message.parentId, message.id);
  }
  let leaf = id;
  for (let next: string | undefined = id; next !== undefined; next = newestChild.get(leaf)) leaf = next;
  return leaf;
}

/** The tree with this message put in or changed, and the head moved if told so. */
export function withMessage(tree: Tree, message: Message, head: string | null = tree.head): Tree {
  return { messages: new Map(tree.messages).set(message.id, message), head };
}

export function withHead(tree: Tree, head: string | null): Tree {
  return { messages: tree.messages, head };
}

/** The tree without a message that waited to be sent, with everything that followed it. */
export function without(tree: Tree, id: string, head: string | null): Tree {
  const messages = new Map(tree.messages);
  const leaving = [id];
  for (let next = leaving.pop(); next !== undefined; next = leaving.pop()) {
    leaving.push(...childrenOf(tree, next));
    messages.delete(next);
  }
  return { messages, head };
}

/** The tree after a message has got another id; its place among its siblings stays. */
export function renamed(tree: Tree, from: string, to: Partial<Message> & { readonly id: string }): Tree {
  const messages = new Map<string, Message>();
  for (const [id, message] of tree.messages) {
    if (id === to.id && id !== from) continue;
    const renamedOne = id === from ? { ...message, ...to } : message;
    const moved = renamedOne.parentId === from ? { ...renamedOne, parentId: to.id } : renamedOne;
    messages.set(moved.id, moved);
  }
  return { messages, head: tree.head === from ? to.id : tree.head };
}

/** What must not be lost to a tree of the server that was read a moment ago. */
export interface Here {
  /** What is in view here stays in view. */
  readonly keepsHead: boolean;
  /** Whether an answer, by its key, is still being told here: its end comes the same way. */
  readonly isGrowing: (key: string) => boolean;
  /** The messages that were here when the server was asked: it may not know of later ones. */
  readonly idsBefore: ReadonlySet<string>;
}

/** The server's tree, with what it cannot know yet, and the keys and ends of what is here. */
export function merged(tree: Tree, server: SessionTree, { keepsHead, isGrowing, idsBefore }: Here): Tree {
  const messages = new Map<string, Message>();
  for (const message of server.messages) {
    const known = tree.messages.get(message.id);
    const isKept = known !== undefined && isGrowing(known.key);
    messages.set(message.id, known === undefined ? message : isKept ? known : mergedMessage(known, message));
  }
  for (const message of tree.messages.values()) {
    const isOurs = message.status === 'sending' || isGrowing(message.key) || !idsBefore.has(message.id);
    if (isOurs && !messages.has(message.id)) messages.set(message.id, message);
  }
  const { head } = tree;
  const isHeadKept = head !== null && messages.has(head) && (keepsHead || !idsBefore.has(head));
  return { messages, head: isHeadKept ? head : server.head };
}

/** What is the same stays the same object, so that its view is not made again. */
function mergedMessage(known: Message, message: Message): Message {
  const isEnded = !isRunning(known);
  // A tree that was read before the end came here.
  if (isEnded && isRunning(message)) return known;
  const isSame = known.status === message.status && known.isDeleted === message.isDeleted;
  if (isEnded && isSame && known.parts.length === message.parts.length && known.isSaved) return known;
  return { ...message, key: known.key, createdAt: known.createdAt };
}
