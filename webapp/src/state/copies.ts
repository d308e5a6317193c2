/** Sessions as files: out and in. */

import { failureOf } from '../api/failure';
import * as api from '../api/resources';
import type { Imported } from '../api/types';
import { coreStrings } from '../core_strings';
import { putSession, sessionTitle } from './sessions';
import { showFailure, showToast } from './ui';

const SUFFIX = { json: 'json', markdown: 'md' } as const;
const LONGEST_NAME = 60;

/** Save a session: JSON of all branches, or Markdown of the path in view. */
export async function downloadSession(id: string, format: 'json' | 'markdown'): Promise<void> {
  try {
    const blob = await api.exportSession(id, format);
    offer(blob, `${fileName(sessionTitle(id))}.${SUFFIX[format]}`);
  } catch (error) {
    showFailure(coreStrings.notExported(failureOf(error).message));
  }
}

/** Store the sessions of a file; null: none, and it was said why. */
export async function importSessions(file: Blob): Promise<Imported | null> {
  try {
    const imported = await api.importSessions(file);
    for (const session of imported.sessions) putSession(session);
    const [refused] = imported.refused;
    if (refused !== undefined) showFailure(coreStrings.importRefused(imported.refused.length, refused.message));
    if (imported.sessions.length > 0) showToast(coreStrings.imported(imported.sessions.length));
    return imported;
  } catch (error) {
    showFailure(coreStrings.notImported(failureOf(error).message));
    return null;
  }
}

/** A title as the name of a file: letters and digits of whatever language, joined by dashes. */
export function fileName(title: string): string {
  const name = title.replaceAll(/[^\p{L}\p{N}]+/gu, '-').replaceAll(/^-+|-+$/g, '');
  return name.slice(0, LONGEST_NAME).toLowerCase() || 'conversation';
}

function offer(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser has read its address by then.
  setTimeout(() => {
    URL.revokeObjectURL(link.href);
  }, 60_000);
}
