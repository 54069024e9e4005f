/**
 * How a command ends: 1 refused (or the thing asked about is not so); 2 usage, configuration, or a database or file that is unsuitable or
 * cannot be used now; 3 internal, connection lost midway, disk full; 130 interrupted, as a shell says of SIGINT (128 + 2).
 */
export type ExitCode = 1 | 2 | 3 | 130;

export type Entry = {
  /** HTTP status of the same refusal in the API (RFC 9110). */
  readonly status: number;
  readonly exit: ExitCode;
  /** What happened and what was kept safe. `{name}` is filled in; never with a personal value or a key. */
  readonly text: string;
  /** What to do next. */
  readonly remedy: string;
};
