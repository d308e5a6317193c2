/** What went wrong, as the server says it; status 0: the server was not reached. */

export interface Failure {
  readonly status: number;
  readonly code: string | null;
  readonly message: string;
  readonly param: string | null;
  /** Seconds to wait before trying again, if the server said so. */
  readonly retryAfterS: number | null;
}

/** A request that failed. */
export class ApiError extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.name = 'ApiError';
    this.failure = failure;
  }
}

/** The failure behind an exception; what is no `ApiError` is a fault of ours and thrown again. */
export function failureOf(error: unknown): Failure {
  if (error instanceof ApiError) return error.failure;
  throw error;
}
