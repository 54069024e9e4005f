/** What a test process tells the runner, one JSON line each, on the file descriptor `RECORD_FD`. */
export type TestRecord =
  | { readonly kind: 'begun' }
  | { readonly kind: 'done' }
  | TestResult
  /** All tests of the file have ended. A process that ends without having said so was ended by a test. */
  | { readonly kind: 'finished' }
  /** Something went wrong outside any test: an error after the last test ended, a promise nobody waited for. */
  | { readonly kind: 'stray'; readonly text: string };

export type TestResult = {
  readonly kind: 'result';
  /** The titles from the outermost suite inwards. */
  readonly path: readonly string[];
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** Why it was skipped, or everything known about the failure. */
  readonly detail: string;
};

/** Beside stdin, stdout and stderr, which belong to the tests. */
export const RECORD_FD = 3;
