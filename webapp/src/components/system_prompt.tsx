/** What the model is told first, with presets to take it from. */

import { useId, useState, type ReactNode } from 'react';
import { settingStrings as strings } from '../setting_strings';
import { randomId } from '../state/local_messages';
import { setPrefs, usePrefs } from '../state/prefs';
import { changeSettings, useSettings } from '../state/settings';
import { Icon } from './icon';

export function SystemPrompt({ threadId }: { threadId: string }): ReactNode {
  const { systemPrompt } = useSettings(threadId);
  const id = useId();
  return (
    <div className="system-prompt">
      <label htmlFor={id}>{strings.systemPrompt}</label>
      <textarea
        id={id}
        className="field"
        rows={4}
        dir="auto"
        value={systemPrompt}
        placeholder={strings.systemPromptHint}
        onChange={(event) => changeSettings(threadId, { systemPrompt: event.target.value })}
      />
      <Presets prompt={systemPrompt} onChoose={(prompt) => changeSettings(threadId, { systemPrompt: prompt })} />
      {systemPrompt.trim() !== '' && <PresetName prompt={systemPrompt} />}
    </div>
  );
}

function Presets({ prompt, onChoose }: { prompt: string; onChoose: (prompt: string) => void }): ReactNode {
  const { presets } = usePrefs();
  if (presets.length === 0) return null;
  return (
    <ul className="presets" aria-label={strings.presets}>
      {presets.map((preset) => (
        <li key={preset.id}>
          <button type="button" className="button" aria-pressed={preset.prompt === prompt} onClick={() => onChoose(preset.prompt)}>
            {preset.name}
          </button>
          <button
            type="button"
            className="icon-button"
            aria-label={strings.deletePreset(preset.name)}
            onClick={() => setPrefs({ presets: presets.filter((each) => each.id !== preset.id) })}
          >
            <Icon name="close" />
          </button>
        </li>
      ))}
    </ul>
  );
}

function PresetName({ prompt }: { prompt: string }): ReactNode {
  const { presets } = usePrefs();
  const [name, setName] = useState('');
  return (
    <form
      className="preset-name"
      onSubmit={(event) => {
        event.preventDefault();
        if (name.trim() === '') return;
        setPrefs({ presets: [...presets, { id: randomId(), name: name.trim(), prompt }] });
        setName('');
      }}
    >
      <input className="field" aria-label={strings.presetName} placeholder={strings.presetName} value={name} maxLength={60} onChange={(event) => setName(event.target.value)} />
      <button type="submit" className="button" disabled={name.trim() === ''}>
        {strings.savePreset}
      </button>
    </form>
  );
}
