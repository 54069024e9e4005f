import type { Clock, Configuration, Secret } from '@safekeep/core';
import type { Signer } from '@safekeep/crypto';
import type { Log } from '@safekeep/log';
import type { Database } from '@safekeep/postgres';
import type { Static, TObject, TSchema } from 'typebox';
import type { JobKind } from './jobs/index.ts';

/**
 * The one shape of everything Safekeep can do. The composition root holds one list of these and mounts what it finds.
 */
export type Capability = {
  readonly name: string;
  readonly commands: readonly Command[];
  /** Kinds of long work that a worker may take up. */
  readonly jobs?: readonly JobKind[];
};

/** A positional argument of a command, e.g. `FILE` of `import sqlite FILE`. Its value arrives in the input under `key`. */
export type Positional = {
  readonly key: string;
  /** As shown in the help, in capitals: `FILE`. */
  readonly label: string;
  readonly description: string;
  readonly optional?: boolean;
};

/**
 * One verb of the CLI. Flags, help, validation, completion and the reference page are all derived from this.
 *
 * `input` holds one property for each positional and each flag: `onInvalid` becomes `--on-invalid`, a boolean becomes a
 * switch, a union of literals a choice, an array a flag that can be repeated; `description` and `default` are shown.
 */
export type Command = {
  /** The words typed: `import sqlite`. */
  readonly name: string;
  /** One line, starting with a verb, without a full stop. */
  readonly summary: string;
  readonly positionals: readonly Positional[];
  readonly input: TObject;
  /** The JSON document that `--json` prints. */
  readonly output: TSchema;
  /** One realistic call, without `npx`: `safekeep import sqlite practice.db --plan`. */
  readonly example: string;
  /** What the log tells of a call. A command that asks for consent or gives out personal data has one, or says why none. */
  readonly event?: CommandEvent | NoEvent;
  /** When it ends with exit code 1 although it did what it was asked: a clause after "where", without a full stop. */
  readonly notSo?: string;
  readonly run: (context: CommandContext, input: never) => Promise<Outcome<unknown>>;
  /** The same result for a person. Plain text; `ink` colours only where the terminal shows colours. */
  readonly render: (result: never, ink: Ink, input: never) => string;
};

/**
 * A command that changes a protection or lifts it, or gives out what is protected: both of its ends are in the log, done, or refused and
 * why. The names of parts are those of its own result and input.
 */
export type CommandEvent<Result = never, Part extends string = string, Flag extends string = string> = {
  readonly kind: 'access' | 'compliance' | 'retention';
  /** How a call with `plan` ends, that only shows something, where that is another end than `done`; null: it is no event. */
  readonly planned?: string | null;
  /** Parts of the result that tell which one it was. Ids, counts and states, never a value. */
  readonly tells?: readonly Part[];
  /** Only a call with this flag is an event. */
  readonly onlyWith?: Flag;
  /** People whom the result names: each of them has an event of their own, so that their access log tells it. */
  readonly found?: (result: Result) => readonly string[];
  /** Whether the person of the input is whom a done event is about. One who is erased is not named again. */
  readonly names?: boolean;
};

/** Why a command that asks for consent, or gives out personal data, is no event of its own. */
export type NoEvent = { readonly none: string };

/** The names of the parts that any of the forms of a result has. */
type PartOf<Result> = Result extends object ? Extract<keyof Result, string> : never;

/** `ok: false` ends the command with exit code 1: the thing asked about is not so. Such a command says in `notSo` when. */
export type Outcome<Result> = {
  readonly result: Result;
  readonly ok?: boolean;
  /** Everything was told through `stream` already: nothing more is printed. */
  readonly streamed?: true;
};

/** What a command gives back is not changed afterwards, so read-only lists are welcome. */
export type Frozen<Value> = Value extends readonly (infer Item)[]
  ? readonly Frozen<Item>[]
  : Value extends object
    ? { readonly [Key in keyof Value]: Frozen<Value[Key]> }
    : Value;

/** What ends with 0 whatever it finds. */
type Told<Result> = Omit<Outcome<Result>, 'ok'> & { readonly ok?: never };

/** Only a command that says when its thing is not so may find it so. */
type Ends<Input, Result> =
  | { readonly notSo: string; readonly run: (context: CommandContext, input: Input) => Promise<Outcome<Result>> }
  | { readonly notSo?: never; readonly run: (context: CommandContext, input: Input) => Promise<Told<Result>> };

/** Ties the types of input, result and their two users together; the returned command is uniform for the list. */
export function command<const Input extends TObject, const Output extends TSchema>(
  definition: {
    readonly name: string;
    readonly summary: string;
    readonly positionals?: readonly Positional[];
    readonly input: Input;
    readonly output: Output;
    readonly example: string;
    readonly event?: CommandEvent<Frozen<Static<Output>>, PartOf<Static<Output>>, Extract<keyof Static<Input>, string>> | NoEvent;
    readonly render: (result: Frozen<Static<Output>>, ink: Ink, input: Static<Input>) => string;
  } & Ends<Static<Input>, Frozen<Static<Output>>>,
): Command {
  return { positionals: [], ...definition };
}

/** What a command is given. Nothing here is opened before it is asked for. */
export type CommandContext = {
  /** Absolute path of the home. Made (mode 0711) when the database or the signer is first asked for. */
  readonly home: string;
  readonly tenant: string;
  /** Absolute path of the data map. */
  readonly mapFile: string;
  readonly clock: Clock;
  /** Carries the id of this call as `request`. */
  readonly log: Log;
  readonly configuration: Configuration;
  /** Aborted by Ctrl-C and SIGTERM; long work stops at its next safe place. */
  readonly signal: AbortSignal;
  /** `--json` was given. */
  readonly json: boolean;
  /**
   * The database of the configuration, else the embedded one of the home (started if it sleeps, stopped on exit), with
   * Safekeep's schema migrated to the newest version unless `migrate: false`.
   */
  readonly database: (options?: { readonly migrate?: boolean }) => Promise<Database>;
  /**
   * Where that database is, password included: for tools that connect by themselves. Never printed but by
   * `safekeep url`, which leaves an embedded server running (`keepRunning`) so that the URL is good for something.
   */
  readonly databaseUrl: (options?: { readonly keepRunning?: boolean }) => Promise<Secret>;
  /** The same call in another home, with a map of its own: keys, log and ledger of a home are of one database. Closed with this one. */
  readonly elsewhere: (place: { readonly home: string; readonly mapFile: string }) => CommandContext;
  /** The home's Ed25519 signing key, made on first use. */
  readonly signer: () => Promise<Signer>;
  /** The verifier key of the home; undefined where it has signed nothing yet. Makes nothing. */
  readonly verifierKey: () => Promise<string | undefined>;
  /** Agreement of a person to change their database. Throws `consent-needed` or `declined`. */
  readonly confirm: (action: string) => Promise<void>;
  /** Shows progress on stderr: a bar on a terminal, a line every few seconds otherwise. */
  readonly progress: (label: string, options?: { readonly total?: number; readonly unit?: string }) => Progress;
  /**
   * One line of NDJSON on stdout (with `--json`), or the line as text: for output that has no end. Wait for it before the next: it is done
   * when the reader has room again, so that a slow one makes no memory grow, or is gone.
   */
  readonly stream: (item: object | string) => Promise<void>;
  /** One line on stderr for a person. Never a personal value. */
  readonly say: (line: string) => void;
};

export type Progress = {
  /** Absolute counts; `total` may become known or change on the way. */
  readonly update: (done: number, total?: number) => void;
  readonly end: () => void;
};

/** Colours by meaning. On anything but a terminal these return the text unchanged. */
export type Ink = {
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly warn: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly strong: (text: string) => string;
};
