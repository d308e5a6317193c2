/** Where the keyboard's focus goes. */

export function focusComposer(): void {
  document.querySelector<HTMLElement>('#composer')?.focus();
}

/** After what had the focus has gone: nobody should have to begin at the top of the page. On a phone the keyboard would come. */
export function keepFocus(): void {
  requestAnimationFrame(() => {
    if (document.activeElement === document.body && matchMedia('(pointer: fine)').matches) focusComposer();
  });
}
