/** Every REST call of the chat; each throws `ApiError`. */

import { ask, askBlob, askJson, LONG_TIMEOUT_MS } from './http';
import { asObject, flagAt, numberAt, objectsAt, textAt, textOrNull } from './json';
import { matchOf, modelOf, sessionOf, treeMessageOf } from './parse';
import { usageOf } from './parse_usage';
import { answerWithTokensOf } from './parse_tokens';
import type { AnswerWithTokens, Imported, Match, Model, Page, SessionSummary, SessionTree, Usage } from './types';

const SESSIONS = '/v1/conversations';
const PAGE_SIZE = 100;
const ANSWER_TIMEOUT_MS = 600_000;

export async function listModels(): Promise<readonly Model[]> {
  const answer = asObject(await askJson('/v1/models'));
  return objectsAt(answer, 'data').map(modelOf);
}

/** Pinned ones first, then the last changed first. */
export async function listSessions(after: string | null): Promise<Page<SessionSummary>> {
  const query = new URLSearchParams({ limit: String(PAGE_SIZE), ...(after === null ? {} : { after }) });
  const answer = asObject(await askJson(`${SESSIONS}?${query}`));
  return { items: objectsAt(answer, 'data').map(sessionOf), hasMore: flagAt(answer, 'has_more') };
}

export async function getSession(id: string): Promise<SessionSummary> {
  return sessionOf(await askJson(one(id)));
}

export async function getTree(id: string): Promise<SessionTree> {
  const answer = asObject(await askJson(`${one(id)}/tree`, { timeoutMs: LONG_TIMEOUT_MS }));
  return { head: textOrNull(answer, 'head'), messages: objectsAt(answer, 'data').map(treeMessageOf) };
}

export async function changeSession(
  id: string,
  changes: { readonly title?: string; readonly is_pinned?: boolean },
): Promise<SessionSummary> {
  return sessionOf(await askJson(one(id), { method: 'POST', body: { x_conch: changes } }));
}

/** All of it is replaced. */
export async function changeMetadata(id: string, metadata: Readonly<Record<string, string>>): Promise<SessionSummary> {
  return sessionOf(await askJson(one(id), { method: 'POST', body: { metadata } }));
}

/** Also when the page is left meanwhile. */
export async function deleteSession(id: string): Promise<void> {
  await ask(one(id), { method: 'DELETE', keepalive: true });
}

/** Also when the page is left meanwhile. */
export async function moveHead(id: string, messageId: string): Promise<SessionSummary> {
  return sessionOf(await askJson(`${one(id)}/head`, { method: 'POST', body: { message_id: messageId }, keepalive: true }));
}

export async function forkSession(id: string, messageId: string): Promise<SessionSummary> {
  return sessionOf(await askJson(`${one(id)}/fork`, { method: 'POST', body: { message_id: messageId } }));
}

export async function searchSessions(text: string, signal?: AbortSignal): Promise<readonly Match[]> {
  const query = new URLSearchParams({ q: text, limit: '50' });
  const answer = asObject(await askJson(`${SESSIONS}/search?${query}`, signal === undefined ? {} : { signal }));
  return objectsAt(answer, 'data').map(matchOf);
}

export async function exportSession(id: string, format: 'json' | 'markdown'): Promise<Blob> {
  return askBlob(`${one(id)}/export?format=${format}`, { timeoutMs: LONG_TIMEOUT_MS });
}

export async function importSessions(document: Blob): Promise<Imported> {
  const asked = { method: 'POST', body: document, timeoutMs: LONG_TIMEOUT_MS } as const;
  const answer = asObject(await askJson(`${SESSIONS}/import`, asked));
  return {
    sessions: objectsAt(answer, 'data').map(sessionOf),
    refused: objectsAt(answer, 'refused').map((each) => ({
      index: numberAt(each, 'index'),
      message: textAt(each, 'message'),
    })),
  };
}

/** Put an item after the head of a session. */
export async function addItem(id: string, item: Readonly<Record<string, unknown>>): Promise<void> {
  await ask(`${one(id)}/items`, { method: 'POST', body: { items: [item] } });
}

/** What this key has used, and what it has left. */
export async function getUsage(): Promise<Usage> {
  return usageOf(await askJson('/v1/usage'));
}

/** One answer that is not kept, with the probabilities of its tokens. */
export async function answerWithProbs(body: Readonly<Record<string, unknown>>): Promise<AnswerWithTokens> {
  return answerWithTokensOf(await askJson('/v1/chat/completions', { method: 'POST', body, timeoutMs: ANSWER_TIMEOUT_MS }));
}

function one(id: string): string {
  return `${SESSIONS}/${encodeURIComponent(id)}`;
}
