import type pg from 'pg';
import type { KyselyTransactionLike } from 'pg-boss';
import { Type } from '@safekeep/core/schema';
import type { Static, TObject } from 'typebox';
import type { Clock, Id } from '@safekeep/core';
import type { Log } from '@safekeep/log';
import type { Database } from '@safekeep/postgres';
import type { CommandContext } from '../capability.ts';

export type JobId = Id<'job'>;

/** What JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A transaction that the caller opened and will commit: of a bare client, or of Kysely. */
export type Transaction = pg.ClientBase | KyselyTransactionLike;

export type RetryPolicy = {
  /** Starts after the first; 0 sends the first failure to the dead letters. */
  readonly limit: number;
  /** The pause doubles from `firstMs` up to `maxMs`; between half of it and all of it is waited. */
  readonly backoff: { readonly firstMs: number; readonly maxMs: number };
};

export type Concurrency = {
  /** Jobs of this kind at a time in one process. */
  readonly perWorker: number;
  /** For one tenant, in all workers together. No limit when left out. */
  readonly perTenant?: number;
  /** For all tenants, in all workers together. No limit when left out. */
  readonly overall?: number;
};

/** A kind of job as lists hold it. Made by `job()`, which ties the payload's type to `run`. */
export type JobKind = {
  /** Kebab-case; the name of its queue. Never reused for something else: payloads of old jobs carry it. */
  readonly kind: string;
  readonly payload: TObject;
  /** Of the payload; raised by every change that an old payload would not satisfy. */
  readonly version: number;
  /** Makes a payload of today out of one of an older version. What it returns is validated. */
  readonly upgrade?: (payload: Json, version: number) => Json;
  readonly retry: RetryPolicy;
  readonly timeoutMs: number;
  readonly concurrency: Concurrency;
  /** When it runs by itself, five fields of cron at UTC: a worker puts it on schedule, with an empty payload, where its tenant has none of it. */
  readonly schedule?: string;
  readonly run: (context: JobContext, payload: never) => Promise<Json | void>;
};

/** A kind that remembers what its payload is, for those who enqueue it. */
export type TypedJobKind<Payload extends TObject> = JobKind & { readonly payload: Payload };

export type JobContext = {
  readonly id: JobId;
  readonly tenant: string;
  /** From 1; counts every start, also those after a drain. */
  readonly attempt: number;
  /**
   * Aborted when the job was cancelled, taken over by another worker, has used up its time, or is to be handed back because
   * the worker drains. Its reason is a SafekeepError that may be thrown as it is: `signal.throwIfAborted()`.
   */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly database: Database;
  /** Every line carries the id of the job. */
  readonly log: Log;
  /** The command that serves, for work that needs the home: its keys, its configuration. Absent where no command does. */
  readonly host?: CommandContext;
  /**
   * Where to go on. `write` with the handler's own transaction commits the point together with the work up to it; it locks
   * the job's row until then, so it belongs at the end of the transaction.
   *
   * @throws `job-lost` when this worker no longer holds the job: the transaction must not be committed.
   */
  readonly checkpoint: {
    readonly read: () => Json | undefined;
    readonly write: (value: Json, options?: { readonly transaction?: Transaction }) => Promise<void>;
  };
  /** Absolute counts. Costs nothing: written once a second, beside the heartbeat. */
  readonly progress: (done: number, total?: number) => void;
  /**
   * Ends the job within the handler's transaction: its last writes and the job's end are committed together, or neither.
   *
   * @throws `job-lost` as above.
   */
  readonly complete: (transaction: Transaction, result?: Json) => Promise<void>;
};

const KIND = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
const KIND_CHARS = 60;
/** A day. Longer work is cut into jobs: each is a place to go on from, to cancel at and to be seen. */
const LONGEST_MS = 86_400_000;
/** Also how long a job can be late when the server's clock was set back; see `pullForward`. */
export const LONGEST_BACKOFF_MS = 3_600_000;

/** Defines a kind of job. Throws on a definition that makes no sense: that is a bug. */
export function job<const Payload extends TObject>(definition: {
  readonly kind: string;
  readonly payload: Payload;
  readonly version: number;
  readonly upgrade?: (payload: Json, version: number) => Json;
  readonly retry: RetryPolicy;
  readonly timeoutMs: number;
  readonly concurrency: Concurrency;
  readonly schedule?: string;
  readonly run: (context: JobContext, payload: Static<Payload>) => Promise<Json | void>;
}): TypedJobKind<Payload> {
  const { kind, version, retry, timeoutMs, concurrency } = definition;
  const { perWorker, perTenant = 1, overall = 1 } = concurrency;
  const sound =
    KIND.test(kind) &&
    kind.length <= KIND_CHARS &&
    [version, perWorker, perTenant, overall].every((count) => Number.isInteger(count) && count >= 1) &&
    Number.isInteger(retry.limit) &&
    retry.limit >= 0 &&
    retry.backoff.firstMs >= 0 &&
    retry.backoff.maxMs >= retry.backoff.firstMs &&
    retry.backoff.maxMs <= LONGEST_BACKOFF_MS &&
    timeoutMs > 0 &&
    timeoutMs <= LONGEST_MS;
  if (!sound) throw new Error(`The job kind ${kind} is not well defined`);
  return definition;
}

export const jobStates = ['queued', 'running', 'done', 'failed', 'cancelled', 'dead'] as const;
export type JobState = (typeof jobStates)[number];

const State = Type.Union(
  [
    Type.Literal('queued'),
    Type.Literal('running'),
    Type.Literal('done'),
    Type.Literal('failed'),
    Type.Literal('cancelled'),
    Type.Literal('dead'),
  ],
  { description: 'failed waits for its next attempt; dead has none left and waits for `jobs retry`' },
);

export const StateFilter = Type.Optional(State);

const Instant = Type.Union([Type.String({ description: 'ISO 8601, UTC' }), Type.Null()]);

/** A job as people and scripts see it. */
export const JobView = Type.Object({
  id: Type.String(),
  kind: Type.String(),
  tenant: Type.String(),
  state: State,
  attempt: Type.Integer({ description: 'starts so far' }),
  progress: Type.Object({
    done: Type.Integer(),
    total: Type.Union([Type.Integer(), Type.Null()]),
    rowsPerSecond: Type.Optional(Type.Number()),
    etaSeconds: Type.Optional(Type.Integer()),
  }),
  createdAt: Type.String({ description: 'ISO 8601, UTC' }),
  startedAt: Instant,
  finishedAt: Instant,
  error: Type.Optional(Type.Object({ code: Type.String(), message: Type.String() }, { description: 'of the last attempt' })),
  checkpoint: Type.Optional(Type.Unknown({ description: 'where the next attempt goes on; in `jobs show` only' })),
  result: Type.Optional(Type.Unknown({ description: 'what the job gave back; in `jobs show` only' })),
});
export type JobView = Static<typeof JobView>;

export const JobPage = Type.Object({
  jobs: Type.Array(JobView),
  next: Type.Union([Type.String(), Type.Null()], { description: 'for --cursor; null on the last page' }),
});
export type JobPage = { readonly jobs: readonly JobView[]; readonly next: string | null };

export const ScheduleView = Type.Object({
  kind: Type.String(),
  cron: Type.String(),
  timeZone: Type.String({ description: 'IANA name' }),
  nextRunAt: Type.String({ description: 'ISO 8601, UTC' }),
});
export type ScheduleView = Static<typeof ScheduleView>;

/** The row of a job, as the store reads it. */
export type JobRow = {
  readonly job_id: JobId;
  readonly tenant_id: string;
  readonly kind: string;
  readonly state: JobState;
  readonly attempt: number;
  readonly progress_done: number | null;
  readonly progress_total: number | null;
  readonly progress_rate: number | null;
  readonly created_at: Date;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
  readonly error_code: string | null;
  readonly error_message: string | null;
  readonly checkpoint?: Json;
  readonly result?: Json;
};

/** Names one start of one job: what a worker holds and must still hold when it writes. */
export type Claim = {
  readonly tenant: string;
  readonly kind: string;
  readonly id: JobId;
  readonly attempt: number;
  /** pg-boss's own name for the same start; its calls are fenced with it. */
  readonly retryCount: number;
};

/** A job that was just started, with what its handler needs. */
export type StartedJob = Claim & {
  readonly tries: number;
  readonly payload: Json;
  readonly payloadVersion: number;
  readonly checkpoint: Json | undefined;
  /** Its last attempt ended with the death of its worker. */
  readonly suspect: boolean;
};

export type ProgressReport = { readonly done: number; readonly total: number | null; readonly rate: number | null };
