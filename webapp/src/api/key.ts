/** The API key of this browser, if the server wants one. */

const NAME = 'conch.key';

export function storedKey(): string | null {
  try {
    return localStorage.getItem(NAME);
  } catch {
    return null;
  }
}

/** Keep it for the next visit; null forgets it. */
export function storeKey(key: string | null): void {
  try {
    if (key === null) localStorage.removeItem(NAME);
    else localStorage.setItem(NAME, key);
  } catch {
    // A browser that keeps nothing asks again at the next visit.
  }
}
