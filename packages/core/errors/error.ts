import type { catalogue, ErrorCode } from './catalogue.ts';
import type { Entry, ExitCode } from './entry.ts';
import { valueRefusals } from './value-refusals.ts';

const entries = new Map<string, Entry>(Object.entries(valueRefusals));

/** For the catalogue, which brings the rest. */
export function addEntries(more: Readonly<Record<string, Entry>>): void {
  for (const [code, entry] of Object.entries(more)) entries.set(code, entry);
}

/** The names between braces in a text: `'{a} of {b}'` gives `'a' | 'b'`. */
type Blanks<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}` ? Name | Blanks<Rest> : never;

/** What must be filled in for a code: ids, counts, paths, names of tables; never a personal value, never a key. */
export type Particulars<Code extends ErrorCode> = Readonly<
  Record<Blanks<(typeof catalogue)[Code]['text'] | (typeof catalogue)[Code]['remedy']>, string | number>
>;

type Rest<Code extends ErrorCode> = [keyof Particulars<Code>] extends [never]
  ? [particulars?: Record<string, never>, options?: ErrorOptions]
  : [particulars: Particulars<Code>, options?: ErrorOptions];

/** What leaves through the CLI's `--json` and the API: `{ code, message, remedy }`. */
export type ErrorReport = { readonly code: ErrorCode; readonly message: string; readonly remedy: string };

/**
 * An expected refusal. A bug is an ordinary `Error` (or a failed assertion) and is never wrapped in this.
 *
 * @example throw new SafekeepError('field-unknown', { field: name });
 */
export class SafekeepError<Code extends ErrorCode = ErrorCode> extends Error {
  override readonly name = 'SafekeepError';
  readonly code: Code;
  readonly remedy: string;
  readonly exit: ExitCode;
  readonly status: number;

  constructor(code: Code, ...[particulars, options]: Rest<Code>) {
    const entry = entries.get(code);
    if (entry === undefined) throw new Error(`The catalogue with ${code} is not loaded`);
    const blanks: Readonly<Record<string, string | number>> = particulars ?? {};
    super(fill(entry.text, blanks), options);
    this.code = code;
    this.remedy = fill(entry.remedy, blanks);
    this.exit = entry.exit;
    this.status = entry.status;
  }

  report(): ErrorReport {
    return { code: this.code, message: this.message, remedy: this.remedy };
  }
}

/** What Node and PostgreSQL put on their errors: a system code (`ECONNREFUSED`, `ENOSPC`) or a SQLSTATE (`28P01`). */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** The SQLSTATE of an error that a server answered with. `EPIPE` has five letters too, and is the system's. */
export function sqlStateOf(error: unknown): string | undefined {
  const code = codeOf(error);
  const isOfSystem = error instanceof Error && 'syscall' in error;
  return code !== undefined && !isOfSystem && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

export function isSafekeepError<Code extends ErrorCode>(error: unknown, code?: Code): error is SafekeepError<Code> {
  return error instanceof SafekeepError && (code === undefined || error.code === code);
}

function fill(text: string, blanks: Readonly<Record<string, string | number>>): string {
  // A function as replacement: a value with `$&` in it must stand as it is.
  return text.replaceAll(/\{(\w+)\}/g, (whole, name: string) => String(blanks[name] ?? whole));
}
