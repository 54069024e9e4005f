import type pg from 'pg';
import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';
import type { EventRow } from '../model.ts';
import type { OpenedEvent } from '../store/event-values.ts';

/** What can be wrong with a log. Closed: the remedies are by these names. */
export const faultCodes = [
  'baseline-changed',
  'baseline-missing',
  'baseline-outdated',
  'blob-changed',
  'blob-missing',
  'checkpoint-missing',
  'checkpoint-unsigned',
  'column-changed',
  'cosignature-wrong',
  'entry-changed',
  'entry-missing',
  'entry-moved',
  'entry-unreadable',
  'entry-unsigned',
  'erasure-forged',
  'function-changed',
  'log-rolled-back',
  'proof-wrong',
  'root-wrong',
  'row-unexplained',
  'rows-hidden',
  'rows-unreadable',
  'table-changed',
  'tile-changed',
  'tile-missing',
  'trigger-changed',
  'trigger-disabled',
  'trigger-missing',
] as const;
export type FaultCode = (typeof faultCodes)[number];

export const Fault = Type.Object({
  code: Type.String({ description: 'one of a closed list' }),
  /** Of the first event it is about, from 0, where it is about events. */
  index: Type.Optional(Type.Integer()),
  detail: Type.String(),
  /** What to do now. */
  remedy: Type.String(),
});
export type Fault = { readonly code: FaultCode; readonly index?: number; readonly detail: string; readonly remedy: string };

export const LogVerification = Type.Object({
  ok: Type.Boolean(),
  origin: Type.String(),
  /** Events in the signed tree. */
  size: Type.Integer(),
  /** Base64. */
  root: Type.String(),
  /** Events whose stored bytes were hashed and compared. */
  checked: Type.Integer(),
  /** Lowest index first; at most {@link FAULTS_AT_MOST}. */
  faults: Type.Array(Fault),
  /** How many there are in all. */
  faultsFound: Type.Integer(),
  /** With --full, of rows that are not as the log has them. */
  differences: Type.Optional(
    Type.Object({
      count: Type.Integer(),
      digest: Type.String({ description: 'hex; another edit of one of these rows gives another: for `audit acknowledge --rows`' }),
    }),
  ),
  /** What was seen and is no fault, each with what it means; at most {@link FAULTS_AT_MOST}. */
  notes: Type.Array(Type.String()),
  /** Below this index events were dropped by policy; what is left of them is their place in the tree. */
  minimumIndex: Type.Integer(),
  /** What of it was looked at. */
  scope: Type.Array(Type.String()),
  seconds: Type.Number(),
});
export type LogVerification = Static<typeof LogVerification>;

/** One changed table can break a million events; the first ones say all there is to know. */
export const FAULTS_AT_MOST = 100;

/** What changes said, by the id of the event: what is left to read of them. Reads keys in the transaction of `client`. */
export type RowValues = (client: pg.ClientBase, events: readonly EventRow[]) => Promise<ReadonlyMap<string, OpenedEvent>>;
