/** Which model answers in this conversation, and in which state each one is. */

import type { ReactNode } from 'react';
import type { Model } from '../api/types';
import { shellStrings as strings } from '../shell_strings';
import { useModelFor, useModels } from '../state/models';
import { changeSettings } from '../state/settings';
import { Icon } from './icon';
import { Menu, type MenuItem } from './menu';

export function ModelPicker({ threadId }: { threadId: string }): ReactNode {
  const { items } = useModels();
  const chosen = useModelFor(threadId);
  const name = chosen ?? strings.noModel;
  const state = items.find((model) => model.id === chosen)?.state ?? 'failed';
  return (
    <Menu label={strings.chooseModel(name)} className="model-button" items={items.map((model) => choiceOf(model, chosen, threadId))}>
      <span className="state-dot" data-state={state} />
      <span className="model-name">{name}</span>
      <Icon name="chevron_down" />
    </Menu>
  );
}

function choiceOf(model: Model, chosen: string | null, threadId: string): MenuItem {
  return {
    key: model.id,
    label: model.id,
    hint: hintFor(model),
    isChecked: model.id === chosen,
    isDisabled: model.state === 'failed',
    act: () => changeSettings(threadId, { model: model.id }),
  };
}

export function hintFor(model: Model): string {
  const state = model.loadingPercent === null ? strings.modelStates[model.state] : strings.loadingAt(model.loadingPercent);
  return [
    model.reason === null ? state : `${state}: ${model.reason}`,
    model.engine === 'simulated' ? strings.simulated : model.quantization === 'none' ? null : model.quantization,
    model.contextLength === null ? null : strings.contextOf(model.contextLength),
  ]
    .filter((part) => part !== null)
    .join(' · ');
}
