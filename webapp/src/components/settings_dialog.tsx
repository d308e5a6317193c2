/** What this conversation asks of its model, and how the page looks and behaves. */

import { useState, type ReactNode } from 'react';
import { shellStrings } from '../shell_strings';
import { settingStrings as strings } from '../setting_strings';
import { signOut, useAccess } from '../state/access';
import { useModelFor, useModels } from '../state/models';
import { closePanel } from '../state/panels';
import { setPrefs, usePrefs } from '../state/prefs';
import { changeSettings, resetSettings, setDefaultSettings, useSettings } from '../state/settings';
import { announce } from '../state/ui';
import { Dialog } from './dialog';
import { NumberField } from './number_field';
import { numberSettings } from './number_settings';
import { StopFields } from './stop_fields';
import { SystemPrompt } from './system_prompt';

export function SettingsDialog({ threadId }: { threadId: string }): ReactNode {
  // A reset gives the fields their texts anew.
  const [round, setRound] = useState(0);
  return (
    <Dialog title={shellStrings.settings} onClose={closePanel} className="dialog-settings">
      <section key={round} aria-labelledby="settings-session">
        <h3 id="settings-session">{strings.forSession}</h3>
        <SystemPrompt threadId={threadId} />
        <Numbers threadId={threadId} />
        <StopFields threadId={threadId} />
        <SessionButtons threadId={threadId} onReset={() => setRound(round + 1)} />
      </section>
      <Look />
      <Access />
    </Dialog>
  );
}

function Numbers({ threadId }: { threadId: string }): ReactNode {
  const settings = useSettings(threadId);
  const chosen = useModelFor(threadId);
  const model = useModels().items.find(({ id }) => id === chosen);
  return (
    <div className="settings-numbers">
      {numberSettings.map((setting) => (
        <NumberField
          key={setting.key}
          setting={setting}
          value={settings[setting.key]}
          isAble={setting.capability === undefined || model === undefined || model.capabilities.includes(setting.capability)}
          onChange={(value) => changeSettings(threadId, { [setting.key]: value })}
        />
      ))}
    </div>
  );
}

function SessionButtons({ threadId, onReset }: { threadId: string; onReset: () => void }): ReactNode {
  const settings = useSettings(threadId);
  return (
    <p className="settings-buttons">
      <button
        type="button"
        className="button"
        onClick={() => {
          setDefaultSettings(settings);
          announce(strings.keptForNew);
        }}
      >
        {strings.keepForNew}
      </button>
      <button
        type="button"
        className="button"
        onClick={() => {
          resetSettings(threadId);
          onReset();
        }}
      >
        {strings.reset}
      </button>
    </p>
  );
}

function Look(): ReactNode {
  const prefs = usePrefs();
  return (
    <section aria-labelledby="settings-look">
      <h3 id="settings-look">{strings.look}</h3>
      <Choice label={strings.theme} value={prefs.theme} options={strings.themes} onChange={(theme) => setPrefs({ theme })} />
      <Choice label={strings.sendWith} value={prefs.sendWith} options={strings.sendKeys} onChange={(sendWith) => setPrefs({ sendWith })} />
      <label className="check">
        <input type="checkbox" checked={prefs.showStats} onChange={(event) => setPrefs({ showStats: event.target.checked })} />
        {strings.showStats}
      </label>
    </section>
  );
}

interface ChoiceProps<T extends string> {
  readonly label: string;
  readonly value: T;
  readonly options: Readonly<Record<T, string>>;
  readonly onChange: (value: T) => void;
}

function Choice<T extends string>({ label, value, options, onChange }: ChoiceProps<T>): ReactNode {
  const names = Object.entries(options) as [T, string][];
  return (
    <fieldset className="choice">
      <legend>{label}</legend>
      {names.map(([option, name]) => (
        <label key={option}>
          <input type="radio" name={label} value={option} checked={option === value} onChange={() => onChange(option)} />
          {name}
        </label>
      ))}
    </fieldset>
  );
}

function Access(): ReactNode {
  const { hasKey } = useAccess();
  if (!hasKey) return null;
  return (
    <section>
      <button
        type="button"
        className="button"
        onClick={() => {
          closePanel();
          signOut();
        }}
      >
        {shellStrings.signOut}
      </button>
    </section>
  );
}
