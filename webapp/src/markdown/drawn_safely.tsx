/** Shows the source of a text whose drawing has failed, instead of an empty page. */

import { Component, type ReactNode } from 'react';
import { threadStrings as strings } from '../thread_strings';

type Props = { source: string; children: ReactNode };

export class DrawnSafely extends Component<Props, { hasFailed: boolean }> {
  override state = { hasFailed: false };

  static getDerivedStateFromError(): { hasFailed: boolean } {
    return { hasFailed: true };
  }

  override render(): ReactNode {
    if (!this.state.hasFailed) return this.props.children;
    return (
      <div className="markdown" data-part="text">
        <p className="hint">{strings.drawingFailed}</p>
        <p className="literal">{this.props.source}</p>
      </div>
    );
  }
}
