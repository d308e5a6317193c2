/** What is shown in place of a view that has broken. */

import { Component, type ReactNode } from 'react';
import { shellStrings as strings } from '../shell_strings';

export class ErrorBoundary extends Component<{ readonly children: ReactNode }, { readonly hasFailed: boolean }> {
  override state = { hasFailed: false };

  static getDerivedStateFromError(): { readonly hasFailed: boolean } {
    return { hasFailed: true };
  }

  override render(): ReactNode {
    if (!this.state.hasFailed) return this.props.children;
    return (
      <main className="page-notice" role="alert">
        <h1>{strings.somethingBroke}</h1>
        <p>{strings.somethingBrokeHint}</p>
        <button type="button" className="button button-primary" onClick={() => location.reload()}>
          {strings.reload}
        </button>
      </main>
    );
  }
}
