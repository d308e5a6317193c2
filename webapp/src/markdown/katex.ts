/** KaTeX with its style sheet and fonts, as a part that is loaded on its own. */
import { render as typeset } from 'katex';
// oxlint-disable-next-line import/no-unassigned-import -- a style sheet
import 'katex/dist/katex.min.css';

export function render(text: string, element: HTMLElement, isDisplay: boolean): void {
  typeset(text, element, {
    displayMode: isDisplay,
    throwOnError: false,
    errorColor: 'inherit',
    // No links, no images, no classes from a formula; and an end to macros that expand themselves.
    trust: false,
    strict: false,
    maxExpand: 200,
    maxSize: 20,
  });
}
