/** How this person likes the page; kept in this browser. */

import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import { asObject, objectsAt, oneOf, textAt } from '../api/json';
import { keep, readKept, whenKeptElsewhere } from './kept';

export interface Preset {
  readonly id: string;
  readonly name: string;
  readonly prompt: string;
}

export type Theme = 'system' | 'light' | 'dark';

export interface Prefs {
  readonly theme: Theme;
  readonly showStats: boolean;
  readonly sendWith: 'enter' | 'mod_enter';
  readonly presets: readonly Preset[];
}

const NAME = 'conch.prefs';
/** Read by public/assets/theme.js before the first painting: a bare word. */
const THEME_NAME = 'conch.theme';
const DARK = '(prefers-color-scheme: dark)';

export const prefs = createStore<Prefs>(readPrefs);

export function usePrefs(): Prefs {
  return useStore(prefs);
}

export function setPrefs(changes: Partial<Prefs>): void {
  prefs.setState(changes);
  const { theme, ...others } = prefs.getState();
  keep(NAME, others);
  if (changes.theme !== undefined) {
    keepTheme(theme);
    showTheme();
  }
}

/** Show the theme, and follow the system's; the result ends it. */
export function followTheme(): () => void {
  const dark = matchMedia(DARK);
  showTheme();
  dark.addEventListener('change', showTheme);
  return () => {
    dark.removeEventListener('change', showTheme);
  };
}

/** Take what another tab has kept: what is kept here next would undo it. The result ends it. */
export function followPrefs(): () => void {
  const ends = [NAME, THEME_NAME].map((name) => whenKeptElsewhere(name, takeKept));
  return () => {
    for (const end of ends) end();
  };
}

function takeKept(): void {
  prefs.setState(readPrefs());
  showTheme();
}

function showTheme(): void {
  const { theme } = prefs.getState();
  const system = matchMedia(DARK).matches ? 'dark' : 'light';
  document.documentElement.dataset['theme'] = theme === 'system' ? system : theme;
}

function keepTheme(theme: Theme): void {
  try {
    localStorage.setItem(THEME_NAME, theme);
  } catch {
    // Then it holds for this visit.
  }
}

function readTheme(): Theme {
  try {
    return oneOf(localStorage.getItem(THEME_NAME), 'system', 'light', 'dark');
  } catch {
    return 'system';
  }
}

function readPrefs(): Prefs {
  const kept = asObject(readKept(NAME));
  return {
    theme: readTheme(),
    showStats: kept['showStats'] !== false,
    sendWith: oneOf(kept['sendWith'], 'enter', 'mod_enter'),
    presets: objectsAt(kept, 'presets').map((preset) => ({
      id: textAt(preset, 'id'),
      name: textAt(preset, 'name'),
      prompt: textAt(preset, 'prompt'),
    })),
  };
}
