/** The whole page: the list of conversations beside what the address shows, and the dialogs over them. */

import { useCallback, useEffect, useState, type ReactNode } from 'react';
import { Announcer } from './components/announcer';
import { ChatView } from './components/chat_view';
import { CompareDialog } from './components/compare_dialog';
import { ErrorBoundary } from './components/error_boundary';
import { focusComposer } from './components/focus';
import { Login } from './components/login';
import { PageHead } from './components/page_head';
import { SearchDialog } from './components/search_dialog';
import { SettingsDialog } from './components/settings_dialog';
import { ShortcutsDialog, useShortcuts } from './components/shortcuts';
import { Sidebar } from './components/sidebar';
import { Toasts } from './components/toasts';
import { UsageView } from './components/usage_view';
import { navigate, pathOfSession, useRoute, type Route } from './router';
import { shellStrings as strings } from './shell_strings';
import { useAccess } from './state/access';
import { closePanel, setDrawer, useOpenPanel } from './state/panels';
import { newThread, onThreadNamed, threadIdOf } from './state/threads';

export function App(): ReactNode {
  const { state } = useAccess();
  return (
    <ErrorBoundary>
      {state === 'needs_key' ? <Login /> : <Shell />}
      <Toasts />
      <Announcer />
    </ErrorBoundary>
  );
}

function Shell(): ReactNode {
  const route = useRoute();
  const [fresh, setFresh] = useState(newThread);
  const sessionId = route.name === 'chat' ? route.sessionId : null;
  const threadId = sessionId === null ? fresh : threadIdOf(sessionId);
  const startNew = useCallback(() => {
    navigate('/');
    setDrawer(false);
    // The one that is there already, unless it has become a conversation.
    requestAnimationFrame(focusComposer);
  }, []);
  useShortcuts(startNew);
  useEffect(
    () =>
      onThreadNamed((named, id) => {
        if (named !== fresh) return;
        if (location.pathname === '/') navigate(pathOfSession(id), true);
        setFresh(newThread());
      }),
    [fresh],
  );
  return (
    <div className="app">
      <a className="skip-link" href="#composer" onClick={(event) => [event.preventDefault(), focusComposer()]}>
        {strings.skipToComposer}
      </a>
      <Sidebar openSessionId={sessionId} isAtUsage={route.name === 'usage'} onNewChat={startNew} />
      <View route={route} threadId={threadId} />
      <Panels threadId={threadId} />
    </div>
  );
}

function View({ route, threadId }: { route: Route; threadId: string }): ReactNode {
  if (route.name === 'chat') {
    return <ChatView key={threadId} threadId={threadId} sessionId={route.sessionId} messageId={route.messageId} />;
  }
  return (
    <main className="chat">
      <PageHead title={route.name === 'usage' ? strings.usage : strings.appName} />
      {route.name === 'usage' ? <UsageView /> : <p className="page-notice">{strings.pageNotFound}</p>}
    </main>
  );
}

function Panels({ threadId }: { threadId: string }): ReactNode {
  switch (useOpenPanel()) {
    case 'search':
      return <SearchDialog />;
    case 'settings':
      return <SettingsDialog threadId={threadId} />;
    case 'shortcuts':
      return <ShortcutsDialog />;
    case 'compare':
      return <CompareDialog threadId={threadId} onClose={closePanel} />;
    case null:
      return null;
  }
}
