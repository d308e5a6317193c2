/** Up to four texts that end an answer, each in a line of its own. */

import { useState, type ReactNode } from 'react';
import { settingStrings as strings } from '../setting_strings';
import { changeSettings, useSettings } from '../state/settings';
import { Icon } from './icon';
import { readStop, writtenStop } from './number_settings';

// As many as the server takes.
const MAX_STOPS = 4;

interface StopLine {
  readonly key: number;
  readonly text: string;
}

export function StopFields({ threadId }: { threadId: string }): ReactNode {
  const settings = useSettings(threadId);
  const [lines, setLines] = useState<readonly StopLine[]>(() =>
    settings.stop.map((stop, key) => ({ key, text: writtenStop(stop) })),
  );
  const change = (next: readonly StopLine[]): void => {
    setLines(next);
    changeSettings(threadId, { stop: next.map((line) => readStop(line.text)).filter((stop) => stop !== '') });
  };
  return (
    <fieldset className="stops">
      <legend>{strings.stops}</legend>
      <small className="hint">{strings.stopsHint}</small>
      {lines.map((line, index) => (
        <div key={line.key} className="stop-line">
          <input
            className="field"
            aria-label={strings.stopNumber(index + 1)}
            value={line.text}
            spellCheck={false}
            onChange={(event) => change(lines.map((each) => (each.key === line.key ? { ...each, text: event.target.value } : each)))}
          />
          <button
            type="button"
            className="icon-button"
            aria-label={strings.removeStop(index + 1)}
            onClick={() => change(lines.filter((each) => each.key !== line.key))}
          >
            <Icon name="close" />
          </button>
        </div>
      ))}
      {lines.length < MAX_STOPS && (
        <button type="button" className="button" onClick={() => setLines([...lines, { key: nextKey(lines), text: '' }])}>
          {strings.addStop}
        </button>
      )}
    </fieldset>
  );
}

function nextKey(lines: readonly StopLine[]): number {
  return Math.max(-1, ...lines.map((line) => line.key)) + 1;
}
