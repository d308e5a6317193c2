/** The one set of everything: the connection, the answers that grow, what a person does. */

import { storedKey } from '../api/key';
import * as resources from '../api/resources';
import { browserClock } from '../stream/clock';
import { LiveAnswers } from '../stream/live';
import { readMessage } from '../stream/protocol';
import { Socket, type Wire, type WireListener } from '../stream/socket';
import { checkAccess } from './access';
import { Asking } from './asking';
import { Opening } from './opening';
import { SharedSettings } from './shared_settings';
import { TurnTaking } from './turn_taking';

export const socket = new Socket(openWire, browserClock, {
  onOpen() {
    asking.answers.connected();
  },
  onMessage(frame) {
    const message = readMessage(frame);
    if (message !== null) asking.answers.take(message);
  },
  onLost(hasOpened) {
    // A refused key looks like a server that is not there.
    if (!hasOpened) void checkAccess();
  },
});

export const asking = new Asking(
  (listener) => new LiveAnswers(browserClock, (message) => socket.send(JSON.stringify(message)), listener),
  resources,
);
export const opening = new Opening(asking.answers, resources);
export const turns = new TurnTaking(asking, opening, resources);
export const sharedSettings = new SharedSettings(resources, browserClock);

let sentKey: string | null = null;

/** Connect with the key that this browser has now; a connection with another one ends. */
export function connect(): void {
  if (sentKey !== storedKey()) socket.close();
  socket.connect();
}

/** A browser can send a key with a WebSocket only among the protocols it speaks. */
function openWire(listener: WireListener): Wire {
  const url = new URL('/v1/responses', location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const key = storedKey();
  sentKey = key;
  const wire = new WebSocket(url, key === null ? [] : ['conch', `conch-key.${key}`]);
  wire.addEventListener('open', () => {
    listener.onOpen();
  });
  wire.addEventListener('message', (event) => {
    listener.onMessage(event.data);
  });
  wire.addEventListener('close', () => {
    listener.onClose();
  });
  return wire;
}
