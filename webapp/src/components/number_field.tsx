/** One number of the settings: empty for the server's default, told when it is not allowed. */

import { useId, useState, type ReactNode } from 'react';
import { settingStrings as strings } from '../setting_strings';
import { readNumber, type NumberSetting } from './number_settings';

interface NumberFieldProps {
  readonly setting: NumberSetting;
  readonly value: number | null;
  /** Whether the model can do it. */
  readonly isAble: boolean;
  readonly onChange: (value: number | null) => void;
}

export function NumberField({ setting, value, isAble, onChange }: NumberFieldProps): ReactNode {
  const [text, setText] = useState(value === null ? '' : String(value));
  const id = useId();
  const isAllowed = readNumber(setting, text) !== undefined;
  return (
    <div className="number-field">
      <label htmlFor={id}>{setting.label}</label>
      <input
        id={id}
        className="field"
        type="text"
        inputMode="decimal"
        placeholder={strings.default}
        value={text}
        disabled={!isAble}
        aria-invalid={!isAllowed}
        aria-describedby={`${id}-hint`}
        onChange={(event) => {
          setText(event.target.value);
          const next = readNumber(setting, event.target.value);
          if (next !== undefined) onChange(next);
        }}
      />
      <small id={`${id}-hint`} className={isAllowed ? 'hint' : 'hint danger'}>
        {!isAble ? strings.notAble : isAllowed ? setting.hint : strings.notAllowed(setting.min, setting.max)}
      </small>
    </div>
  );
}
