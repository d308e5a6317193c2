/** Two answers to the same message side by side, each with its figures; one of them is kept in view. */

import type { ReactNode } from 'react';
import { closeComparison, keepAnswer } from '../state/turns';
import { threadStrings as strings } from '../thread_strings';
import { isRunning, type Message } from '../tree/message';
import { keepFocus } from './focus';
import { Icon } from './icon';
import { AnswerBody } from './message_view';
import { Stats } from './stats';

interface ColumnProps {
  readonly threadId: string;
  readonly message: Message;
  readonly title: string;
}

function Column({ threadId, message, title }: ColumnProps): ReactNode {
  return (
    <section aria-label={title} data-message-id={message.id} data-status={message.status}>
      <h3 className="badge mb-2 w-fit">
        {title}
        {message.model !== null && ` · ${message.model}`}
      </h3>
      <AnswerBody message={message} />
      <div className="message-foot">{!isRunning(message) && <Stats message={message} />}</div>
      <button
        type="button"
        className="button"
        disabled={isRunning(message)}
        onClick={() => [void keepAnswer(threadId, message.id), keepFocus()]}
      >
        {strings.keep}
      </button>
    </section>
  );
}

export function Comparison({ threadId, answers }: { threadId: string; answers: readonly Message[] }): ReactNode {
  return (
    <div className="comparison" role="group" aria-label={strings.comparison}>
      <header>
        <h2 className="font-semibold">{strings.comparison}</h2>
        <button
          type="button"
          className="icon-button"
          aria-label={strings.closeComparison}
          onClick={() => [closeComparison(threadId), keepFocus()]}
        >
          <Icon name="close" />
        </button>
      </header>
      <div className="comparison-columns">
        {answers.map((message, index) => (
          <Column
            key={message.key}
            threadId={threadId}
            message={message}
            title={index === 0 ? strings.first : strings.second}
          />
        ))}
      </div>
    </div>
  );
}
