/** Asks for the API key, over the address that was asked for: after it the page is as it was meant. */

import { useState, type ReactNode } from 'react';
import { shellStrings as strings } from '../shell_strings';
import { signIn, useAccess } from '../state/access';

// Of the module, so that it is called once and not at each rendering.
function focus(field: HTMLInputElement | null): void {
  field?.focus();
}

export function Login(): ReactNode {
  const { failure } = useAccess();
  const [key, setKey] = useState('');
  const [isAsking, setIsAsking] = useState(false);
  const submit = async (): Promise<void> => {
    setIsAsking(true);
    const isIn = await signIn(key.trim());
    if (!isIn) setIsAsking(false);
  };
  return (
    <main className="login">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (key.trim() !== '') void submit();
        }}
      >
        <img src="/assets/icon.svg" alt="" width="56" height="56" />
        <h1>{strings.signInTitle}</h1>
        <p className="hint">{strings.signInHint}</p>
        <label htmlFor="api-key">{strings.apiKey}</label>
        <input
          id="api-key"
          className="field"
          type="password"
          autoComplete="current-password"
          spellCheck={false}
          ref={focus}
          value={key}
          onChange={(event) => setKey(event.target.value)}
          aria-describedby="api-key-refused"
        />
        <p id="api-key-refused" role="alert" className="danger">
          {failure?.status === 401 && failure.code !== null ? strings.keyRefused : (failure?.status ?? 401) === 401 ? '' : failure?.message}
        </p>
        <button type="submit" className="button button-primary" disabled={isAsking || key.trim() === ''}>
          {isAsking ? strings.signingIn : strings.signIn}
        </button>
      </form>
    </main>
  );
}
