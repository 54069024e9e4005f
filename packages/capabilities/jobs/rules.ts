import { isDeepStrictEqual } from 'node:util';
import Schema from 'typebox/schema';
import { isSafekeepError, SafekeepError } from '@safekeep/core';
import type { JobKind, JobRow, JobView, Json, ProgressReport, RetryPolicy } from './model.ts';

/** How an attempt failed, fit to be stored: no value of a row in it. */
export type Failure = { readonly code: string; readonly message: string };

/** `random` is in [0, 1). Between half of the doubled pause and all of it, so that jobs that failed together come back apart. */
export function retryDelayMs(tries: number, { backoff }: RetryPolicy, random: number): number {
  // 2^30 times a millisecond is 12 days: beyond every cap, and no overflow.
  const doubled = Math.min(backoff.maxMs, backoff.firstMs * 2 ** Math.min(Math.max(tries - 1, 0), 30));
  return Math.round(doubled / 2 + (doubled / 2) * random);
}

/** What becomes of a job whose start number `tries` failed. */
export function afterFailure(tries: number, { limit }: RetryPolicy): 'failed' | 'dead' {
  return tries > limit ? 'dead' : 'failed';
}

/**
 * What may be stored and shown of an error. Only our own refusals have texts that are written to be seen; another error's
 * message may quote a row.
 */
export function failureOf(error: unknown): Failure {
  if (isSafekeepError(error)) return { code: error.code, message: error.message };
  const name = error instanceof Error ? error.constructor.name : typeof error;
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? ` ${error.code}` : '';
  return {
    code: 'internal',
    message: `The job failed with ${name}${code.replaceAll(/[^ \w-]/g, '')}. The log has more under the job's id.`,
  };
}

/**
 * The payload as `run` takes it, from what was stored.
 *
 * @throws `job-payload-invalid`, `job-payload-old`, `job-upgrade-failed`.
 */
export function readPayload(kind: JobKind, stored: Json, version: number): Json {
  if (version === kind.version) return validPayload(kind, stored);
  const blanks = { kind: kind.kind, version, current: kind.version };
  if (kind.upgrade === undefined) throw new SafekeepError('job-payload-old', blanks);
  let upgraded: Json;
  try {
    upgraded = kind.upgrade(stored, version);
  } catch (cause) {
    throw new SafekeepError('job-upgrade-failed', blanks, { cause });
  }
  return validPayload(kind, upgraded);
}

/** @throws `job-payload-invalid`: it names the places in the schema, never a value. */
export function validPayload(kind: JobKind, payload: Json): Json {
  if (Schema.Check(kind.payload, payload)) return payload;
  const places = new Set(Schema.Errors(kind.payload, payload)[1].map(({ schemaPath }) => schemaPath));
  throw new SafekeepError('job-payload-invalid', {
    kind: kind.kind,
    version: kind.version,
    places: [...places].slice(0, 5).join(', '),
  });
}

/** Whether a job that is there already is the one that is asked for once more. */
export function isSamePayload(kind: JobKind, asked: Json, existing: { readonly payload: Json; readonly version: number }): boolean {
  // Through JSON, because that is how the stored one went: `undefined` members are gone there.
  const plain: unknown = JSON.parse(JSON.stringify(asked));
  if (existing.version === kind.version) return isDeepStrictEqual(existing.payload, plain);
  try {
    return isDeepStrictEqual(readPayload(kind, existing.payload, existing.version), plain);
  } catch {
    // One that cannot be read any more is certainly not this one.
    return false;
  }
}

export type ProgressSample = { readonly done: number; readonly atMs: number };

/** Half of the rate shown is what happened in the last ten seconds: steady to read, and quick to notice a standstill. */
const RATE_HALF_LIFE_MS = 10_000;

/** The rate after one more look, per second. `previous` is undefined at the first. */
export function nextRate(previous: number | undefined, from: ProgressSample, to: ProgressSample): number | undefined {
  const elapsedMs = to.atMs - from.atMs;
  if (elapsedMs <= 0) return previous;
  const now = (Math.max(0, to.done - from.done) * 1_000) / elapsedMs;
  if (previous === undefined) return now;
  const kept = 0.5 ** (elapsedMs / RATE_HALF_LIFE_MS);
  return previous * kept + now * (1 - kept);
}

/** Whole seconds, rounded up; undefined where nothing can be said. */
export function etaSeconds({ done, total, rate }: ProgressReport): number | undefined {
  if (total === null) return undefined;
  if (done >= total) return 0;
  if (rate === null || rate <= 0) return undefined;
  const seconds = Math.ceil((total - done) / rate);
  return Number.isSafeInteger(seconds) ? seconds : undefined;
}

/** A row as people and scripts see it. */
export function viewOf(row: JobRow): JobView {
  const progress = { done: row.progress_done ?? 0, total: row.progress_total, rate: row.progress_rate };
  const eta = row.state === 'running' ? etaSeconds(progress) : undefined;
  return {
    id: row.job_id,
    kind: row.kind,
    tenant: row.tenant_id,
    state: row.state,
    attempt: row.attempt,
    progress: {
      done: progress.done,
      total: progress.total,
      ...(progress.rate === null ? {} : { rowsPerSecond: Math.round(progress.rate * 10) / 10 }),
      ...(eta === undefined ? {} : { etaSeconds: eta }),
    },
    createdAt: row.created_at.toISOString(),
    startedAt: row.started_at?.toISOString() ?? null,
    finishedAt: row.finished_at?.toISOString() ?? null,
    ...(row.error_code === null ? {} : { error: { code: row.error_code, message: row.error_message ?? '' } }),
    ...(row.checkpoint === undefined || row.checkpoint === null ? {} : { checkpoint: row.checkpoint }),
    ...(row.result === undefined || row.result === null ? {} : { result: row.result }),
  };
}
