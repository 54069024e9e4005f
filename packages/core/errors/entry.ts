/** How a command ends: 1 the thing asked about is not so or was refused, 2 usage, configuration or an unsuitable database, 3 internal. */
export type ExitCode = 1 | 2 | 3;

export type Entry = {
  /** HTTP status of the same refusal in the API (RFC 9110). */
  readonly status: number;
  readonly exit: ExitCode;
  /** What happened and what was kept safe. `{name}` is filled in; never with a personal value or a key. */
  readonly text: string;
  /** What to do next. */
  readonly remedy: string;
};
