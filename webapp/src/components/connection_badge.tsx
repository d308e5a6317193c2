/** Says that the server is away, and nothing while all is well. */

import type { ReactNode } from 'react';
import { shellStrings as strings } from '../shell_strings';
import { reconnectNow, useConnection } from '../state/connection';

export function ConnectionBadge(): ReactNode {
  const { state } = useConnection();
  const isTold = state === 'reconnecting' || state === 'offline';
  return (
    <div className="connection" role="status" data-state={state}>
      {isTold && (
        <>
          <span className="badge">{state === 'offline' ? strings.offline : strings.reconnecting}</span>
          <button type="button" className="button" onClick={reconnectNow}>
            {strings.reconnectNow}
          </button>
        </>
      )}
    </div>
  );
}
