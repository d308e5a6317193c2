/** Short messages at the edge of the page, and the one line that is read aloud. */

import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';

export interface Toast {
  readonly key: string;
  readonly text: string;
  readonly kind: 'info' | 'error';
  readonly actionLabel: string | null;
  readonly onAction: (() => void) | null;
}

export interface ToastOptions {
  readonly kind?: Toast['kind'];
  readonly actionLabel?: string;
  readonly onAction?: () => void;
  readonly durationMs?: number;
}

const DURATION_MS = 6000;
const MOST_TOASTS = 4;

export const ui = createStore<{ readonly toasts: readonly Toast[]; readonly announcement: string }>(() => ({
  toasts: [],
  announcement: '',
}));
let numToasts = 0;

/** Show it for a while; the result is its key. */
export function showToast(text: string, options: ToastOptions = {}): string {
  numToasts += 1;
  const key = `toast-${numToasts}`;
  const { kind = 'info', actionLabel = null, onAction = null, durationMs = DURATION_MS } = options;
  const toast: Toast = { key, text, kind, actionLabel, onAction };
  ui.setState(({ toasts }) => ({ toasts: [...toasts, toast].slice(-MOST_TOASTS) }));
  setTimeout(() => {
    dismissToast(key);
  }, durationMs);
  return key;
}

/** Show what failed, and say it aloud. */
export function showFailure(text: string): void {
  showToast(text, { kind: 'error' });
  announce(text);
}

export function dismissToast(key: string): void {
  ui.setState(({ toasts }) => ({ toasts: toasts.filter((toast) => toast.key !== key) }));
}

/** Have it read aloud when the reader has a moment. */
export function announce(text: string): void {
  // The same words once more are a change only if they differ in something that is not heard.
  ui.setState(({ announcement }) => ({ announcement: announcement === text ? `${text}\u00a0` : text }));
}

export function useToasts(): readonly Toast[] {
  return useStore(ui, (state) => state.toasts);
}

export function useAnnouncement(): string {
  return useStore(ui, (state) => state.announcement);
}
