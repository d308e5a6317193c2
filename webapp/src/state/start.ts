/** Begins everything that goes on by itself. */

import { whenKeyIsRefused } from '../api/http';
import { access, checkAccess, onOpened, refused } from './access';
import { followConnection } from './connection';
import { asking, connect, opening, sharedSettings, socket } from './core';
import { saveDrafts } from './drafts';
import { loadModels } from './models';
import { followPrefs, followTheme } from './prefs';
import { finishDeletes, loadSessions, refreshSession, sessions } from './sessions';
import { followSettings } from './settings';
import { type TabNews, joinTabs } from './tabs';
import { threads } from './threads';

// The model names a session when it has had nothing else to do for a while.
const TITLE_LOOKS_MS = [0, 5000, 15_000];
const LIST_LOOK_MS = 60_000;
// While something goes on in it.
const RUNNING_LOOK_MS = 5000;

/** Begin; the result ends it. */
export function startCore(): () => void {
  const ends = [followConnection(), followTheme(), followPrefs(), followSettings(), joinTabs(heard), listenToThePage(), lookNowAndThen(), sharedSettings.start()];
  whenKeyIsRefused(refused);
  onOpened(begin);
  asking.whenOpened((sessionId) => void refreshSession(sessionId));
  asking.whenEnded((thread) => {
    if (thread.sessionId !== null) lookForTitle(thread.sessionId);
  });
  void checkAccess();
  connect();
  return () => {
    for (const end of ends) end();
    socket.close();
  };
}

/** The way in is open: ask for everything there is. */
function begin(): void {
  void loadModels();
  void loadSessions();
  connect();
  refreshThreads();
}

/** Look again at the sessions that are open. */
function refreshThreads(): void {
  for (const thread of Object.values(threads.getState().byId)) {
    if (thread.sessionId !== null && thread.state !== 'missing') void opening.open(thread.sessionId);
  }
}

function heard(news: TabNews): void {
  if (news.kind === 'key') {
    location.reload();
    return;
  }
  void loadSessions();
  if (news.kind !== 'session') return;
  const isOpen = Object.values(threads.getState().byId).some((thread) => thread.sessionId === news.sessionId);
  if (isOpen) void opening.open(news.sessionId);
}

function lookForTitle(sessionId: string): void {
  for (const wait of TITLE_LOOKS_MS) setTimeout(() => void refreshSession(sessionId), wait);
}

/** What happened while nobody looked. */
function lookAgain(): void {
  if (document.visibilityState === 'hidden') return;
  connect();
  if (access.getState().state !== 'open') {
    void checkAccess();
    return;
  }
  void loadSessions();
  refreshThreads();
}

function leave(): void {
  saveDrafts();
  finishDeletes();
}

function listenToThePage(): () => void {
  document.addEventListener('visibilitychange', lookAgain);
  addEventListener('online', lookAgain);
  addEventListener('pagehide', leave);
  return () => {
    document.removeEventListener('visibilitychange', lookAgain);
    removeEventListener('online', lookAgain);
    removeEventListener('pagehide', leave);
  };
}

function lookNowAndThen(): () => void {
  let lookedAt = Date.now();
  const timer = setInterval(() => {
    const isRunning = sessions.getState().items.some((each) => each.isRunning);
    const isDue = isRunning || Date.now() - lookedAt >= LIST_LOOK_MS;
    if (!isDue || document.visibilityState === 'hidden' || access.getState().state !== 'open') return;
    lookedAt = Date.now();
    void loadSessions();
  }, RUNNING_LOOK_MS);
  return () => {
    clearInterval(timer);
  };
}
