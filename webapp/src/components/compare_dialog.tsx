/** Asks what to compare: one message, and for each side its model and how it samples. */

import { useState, type ReactNode } from 'react';
import { setDraft, useDraft } from '../state/drafts';
import { modelFor, useModels } from '../state/models';
import { useSettings } from '../state/settings';
import type { SessionSettings } from '../state/settings_types';
import { compare, type RunChoice } from '../state/turns';
import { threadStrings as strings } from '../thread_strings';
import { Dialog } from './dialog';

type Numbers = 'temperature' | 'topP' | 'maxTokens';

const fields: readonly { name: Numbers; label: string; min: number; max?: number; step: number | 'any' }[] = [
  { name: 'temperature', label: strings.temperature, min: 0, max: 2, step: 'any' },
  { name: 'topP', label: strings.topP, min: 0, max: 1, step: 'any' },
  { name: 'maxTokens', label: strings.maxTokens, min: 1, step: 1 },
];

interface SideProps {
  readonly title: string;
  readonly choice: RunChoice;
  readonly onChange: (choice: RunChoice) => void;
}

function Side({ title, choice, onChange }: SideProps): ReactNode {
  const { items } = useModels();
  const change = (changes: Partial<SessionSettings>): void =>
    onChange({ ...choice, settings: { ...choice.settings, ...changes } });
  return (
    <fieldset className="grid content-start gap-3">
      <legend className="mb-2 font-semibold">{title}</legend>
      <label className="label">
        {strings.model}
        <select
          className="field"
          value={choice.model ?? ''}
          onChange={(event) => onChange({ ...choice, model: event.target.value || null })}
        >
          {items.map(({ id }) => (
            <option key={id} value={id}>
              {id}
            </option>
          ))}
        </select>
      </label>
      {fields.map(({ name, label, ...limits }) => (
        <label key={name} className="label">
          {label}
          <input
            type="number"
            className="field"
            {...limits}
            placeholder={strings.default}
            value={choice.settings[name] ?? ''}
            onChange={(event) => change({ [name]: event.target.value === '' ? null : event.target.valueAsNumber })}
          />
        </label>
      ))}
    </fieldset>
  );
}

export function CompareDialog({ threadId, onClose }: { threadId: string; onClose: () => void }): ReactNode {
  const settings = useSettings(threadId);
  const draft = useDraft(threadId);
  const [one, setOne] = useState<RunChoice>(() => ({ model: modelFor(threadId), settings }));
  const [other, setOther] = useState<RunChoice>(one);
  return (
    <Dialog title={strings.compareTitle} onClose={onClose}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          onClose();
          void compare(threadId, draft, [one, other]);
        }}
      >
        <p className="hint">{strings.compareHint}</p>
        <label className="label">
          {strings.message}
          <textarea
            className="field"
            rows={3}
            required
            value={draft}
            onChange={(event) => setDraft(threadId, event.target.value)}
          />
        </label>
        <div className="grid grid-cols-1 gap-4 sm:grid-cols-2">
          <Side title={strings.first} choice={one} onChange={setOne} />
          <Side title={strings.second} choice={other} onChange={setOther} />
        </div>
        <div className="edit-buttons">
          <button type="button" className="button" onClick={onClose}>
            {strings.cancel}
          </button>
          <button type="submit" className="button button-primary" disabled={draft.trim() === ''}>
            {strings.runComparison}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
