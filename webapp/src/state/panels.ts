/** What lies over the chat: at most one dialog, and on a phone the drawer with the sessions. */

import { create } from 'zustand';

export type Panel = 'search' | 'settings' | 'shortcuts' | 'compare';

interface Panels {
  readonly open: Panel | null;
  readonly isDrawerOpen: boolean;
}

const usePanels = create<Panels>(() => ({ open: null, isDrawerOpen: false }));

export function useOpenPanel(): Panel | null {
  return usePanels((state) => state.open);
}

export function useIsDrawerOpen(): boolean {
  return usePanels((state) => state.isDrawerOpen);
}

export function openPanel(panel: Panel): void {
  usePanels.setState({ open: panel, isDrawerOpen: false });
}

export function closePanel(): void {
  usePanels.setState({ open: null });
}

export function setDrawer(isOpen: boolean): void {
  usePanels.setState({ isDrawerOpen: isOpen });
}
