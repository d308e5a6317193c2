/** How the connection is, for the badge. */

import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import { socket } from './core';

interface Connection {
  readonly state: 'connecting' | 'online' | 'reconnecting' | 'offline';
  /** When the next try is, in milliseconds since 1970. */
  readonly retryAt: number | null;
}

export const connection = createStore<Connection>(() => ({ state: 'connecting', retryAt: null }));

/** Note how the connection is; the result ends it. */
export function followConnection(): () => void {
  return socket.watch((state, retryAt) => {
    const isOffline = state !== 'online' && !navigator.onLine;
    connection.setState({ state: isOffline ? 'offline' : state === 'closed' ? 'connecting' : state, retryAt });
  });
}

export function useConnection(): Connection {
  return useStore(connection);
}

export function reconnectNow(): void {
  socket.connect();
}
