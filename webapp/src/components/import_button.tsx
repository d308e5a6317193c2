/** Takes a file of conversations: our own export, or ChatGPT's. */

import { useRef, type ReactNode } from 'react';
import { navigate, pathOfSession } from '../router';
import { shellStrings as strings } from '../shell_strings';
import { importSessions } from '../state/copies';
import { Icon } from './icon';

async function take(file: File): Promise<void> {
  const imported = await importSessions(file);
  const first = imported?.sessions[0];
  if (first !== undefined) navigate(pathOfSession(first.id));
}

export function ImportButton(): ReactNode {
  const field = useRef<HTMLInputElement>(null);
  return (
    <>
      <button type="button" className="sidebar-action" onClick={() => field.current?.click()}>
        <Icon name="upload" />
        {strings.importChats}
      </button>
      <input
        ref={field}
        type="file"
        accept="application/json,.json"
        hidden
        onChange={(event) => {
          const file = event.target.files?.[0];
          // The same file may be chosen again.
          event.target.value = '';
          if (file !== undefined) void take(file);
        }}
      />
    </>
  );
}
