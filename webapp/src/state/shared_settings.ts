/**
 * The settings of a conversation, kept with it on the server, so that every browser has them.
 *
 * How it works: they are one JSON text, in pieces among the metadata of the conversation. A change
 * is sent when it has stood for a moment. What the server tells counts, unless a change of ours is
 * on its way there.
 */

import { failureOf } from '../api/failure';
import { parseJson } from '../api/json';
import type * as resources from '../api/resources';
import type { SessionSummary } from '../api/types';
import { coreStrings } from '../core_strings';
import type { Clock } from '../stream/clock';
import { keep, readKept } from './kept';
import { putSession, sessions } from './sessions';
import { ownSettings, putSettings, settingsIn, whenSettingsChange } from './settings';
import type { SessionSettings } from './settings_types';
import { NEW_PLACE } from './threads';
import { showFailure } from './ui';

type Metadata = Readonly<Record<string, string>>;
type Api = Pick<typeof resources, 'getSession' | 'changeMetadata'>;

const FIELD = 'conch_settings';
/** The sessions whose change is not on the server yet, also when the page was left meanwhile. */
const UNSENT_NAME = 'conch.unsent_settings';
/** What the server takes: sixteen fields, of which others may want some. */
const PIECE_CHARS = 512;
const MOST_PIECES = 12;
const REST_MS = 800;

function isOurs(name: string): boolean {
  return name.startsWith(FIELD);
}

function keptText(metadata: Metadata): string {
  return Array.from({ length: MOST_PIECES }, (_, number) => metadata[FIELD + number] ?? '').join('');
}

/** The metadata with these settings in it instead of others; null: they are too long. */
function withText(metadata: Metadata, text: string): Metadata | null {
  const pieces = text.match(new RegExp(`[\\s\\S]{1,${PIECE_CHARS}}`, 'g')) ?? [];
  if (pieces.length > MOST_PIECES) return null;
  const others = Object.entries(metadata).filter(([name]) => !isOurs(name));
  return Object.fromEntries([...others, ...pieces.map((piece, number) => [FIELD + number, piece])]);
}

/** Only what is asked for; pieces of ASCII, so that none is cut within a character. */
function textOf(asked: SessionSettings): string {
  const said = Object.entries(asked).filter(([, value]) => value !== null && value !== '' && !isEmptyList(value));
  return JSON.stringify(Object.fromEntries(said)).replace(/[^ -~]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

export class SharedSettings {
  private readonly api: Api;
  private readonly clock: Clock;
  /** What was last seen or sent, by the session. */
  private readonly known = new Map<string, string>();
  private readonly waiting = new Map<string, () => void>();

  constructor(api: Api, clock: Clock) {
    this.api = api;
    this.clock = clock;
  }

  /** Take what the server tells, and send what is changed here; the result ends it. */
  start(): () => void {
    const ends = [
      whenSettingsChange((place) => {
        this.changed(place);
      }),
      sessions.subscribe(({ items }, before) => {
        if (items !== before.items) for (const summary of items) this.told(summary);
      }),
    ];
    const unsent = readKept(UNSENT_NAME);
    for (const id of Array.isArray(unsent) ? unsent : []) this.changed(String(id));
    return () => {
      for (const end of ends) end();
    };
  }

  /** What was changed here goes to the server soon. */
  private changed(place: string): void {
    if (place === NEW_PLACE) return;
    this.waiting.get(place)?.();
    this.waiting.set(
      place,
      this.clock.after(REST_MS, () => void this.send(place)),
    );
    this.keepUnsent();
  }

  private told({ id, metadata }: SessionSummary): void {
    const text = keptText(metadata);
    if (this.waiting.has(id) || text === (this.known.get(id) ?? '')) return;
    this.known.set(id, text);
    putSettings(id, settingsIn(parseJson(text)));
  }

  private async send(id: string): Promise<void> {
    const asked = ownSettings(id);
    try {
      if (asked !== null) await this.put(id, textOf(asked));
    } catch (error) {
      showFailure(coreStrings.notShared(failureOf(error).message));
    } finally {
      this.waiting.delete(id);
      this.keepUnsent();
    }
  }

  private keepUnsent(): void {
    keep(UNSENT_NAME, [...this.waiting.keys()]);
  }

  private async put(id: string, text: string): Promise<void> {
    if (text === this.known.get(id)) return;
    // Another program may have put something there since.
    const { metadata } = await this.api.getSession(id);
    const changed = withText(metadata, text);
    if (changed === null) {
      showFailure(coreStrings.notShared(coreStrings.tooLong));
      return;
    }
    this.known.set(id, text);
    putSession(await this.api.changeMetadata(id, changed));
  }
}
