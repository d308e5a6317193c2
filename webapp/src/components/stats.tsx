/** What the server counted and timed for an answer; while it grows, as far as it has counted. */

import type { ReactNode } from 'react';
import { usePrefs } from '../state/prefs';
import type { LiveAnswer } from '../stream/growing';
import type { Message, Stats as Counted } from '../tree/message';
import { threadStrings as strings } from '../thread_strings';

const seconds = (ms: number): string => `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;

function ending(message: Message): string {
  const { status, reason } = message;
  if (reason === 'max_output_tokens') return strings.finish.length;
  return status in strings.finish ? strings.finish[status as keyof typeof strings.finish] : '';
}

function figures(stats: Counted, message: Message): readonly (readonly [string, string])[] {
  const { ttftMs, tokensPerSecond, queueMs, reasoningTokens } = stats;
  const all: readonly (readonly [string, string | null])[] = [
    ['rate', tokensPerSecond === null ? null : strings.rate(tokensPerSecond.toFixed(1))],
    ['ttft', ttftMs === null ? null : strings.ttft(seconds(ttftMs))],
    ['tokens', strings.tokens(stats.completionTokens)],
    ['reasoning', reasoningTokens > 0 ? strings.thoughtTokens(reasoningTokens) : null],
    ['prompt', strings.promptTokens(stats.promptTokens)],
    ['queue', queueMs === null || queueMs < 100 ? null : strings.queuedFor(seconds(queueMs))],
    ['finish', ending(message) || null],
  ];
  return all.filter((figure): figure is [string, string] => figure[1] !== null);
}

export function Stats({ message }: { message: Message }): ReactNode {
  const { showStats } = usePrefs();
  if (message.stats === null || !showStats) return null;
  return (
    <ul className="stats" aria-label={strings.stats}>
      {figures(message.stats, message).map(([name, text]) => (
        <li key={name} data-stat={name} title={name === 'prompt' ? strings.cachedTokens(message.stats?.cachedTokens ?? 0) : undefined}>
          {text}
        </li>
      ))}
    </ul>
  );
}

export function LiveStats({ live }: { live: LiveAnswer }): ReactNode {
  const { showStats } = usePrefs();
  return (
    <div className="message-foot">
      {showStats && (
        <ul className="stats" aria-label={strings.stats}>
          {live.rate !== null && <li data-stat="live-rate">{strings.rate(live.rate.toFixed(1))}</li>}
          {live.firstAt !== null && <li data-stat="live-ttft">{strings.ttft(seconds(live.firstAt - live.askedAt))}</li>}
        </ul>
      )}
    </div>
  );
}
