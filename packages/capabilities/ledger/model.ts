import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';
import type { Id } from '@safekeep/core';

export type OperationId = Id<'operation'>;
export type LedgerId = Id<'ledger'>;

// Every text of an entry has a pattern: there is no place for a name, an address or a sentence.
const WORD = '^[a-z][a-z0-9]*(-[a-z0-9]+)*$';
const SHA256 = '^[0-9a-f]{64}$';
const UUID = '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$';
const Instant = Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z$' });
const Word = Type.String({ pattern: WORD, maxLength: 60 });
const Sha256 = Type.String({ pattern: SHA256 });
const Uuid = Type.String({ pattern: UUID });

/** Keyed hashes of what is destroyed, at most; whoever destroys more does it in several operations. */
const MARKS_AT_MOST = 500;
/** Tables and ids of one entry, at most: with the marks a line stays below LINE_BYTES_AT_MOST. */
const PROPERTIES_AT_MOST = 100;

const common = {
  at: Instant,
  /** Of the operation: the entries that belong together have it in common. */
  id: Uuid,
  tenant: Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,62}$' }),
  /** `erasure`, `shredding`, `retention`, `key-destruction`, `partition-drop`, … */
  operation: Word,
  /** Rows by external name of their table. */
  counts: Type.Record(Type.String({ pattern: '^[\\s\\S]{3,140}$' }), Type.Integer({ minimum: 0 }), {
    maxProperties: PROPERTIES_AT_MOST,
  }),
  /** What else names it: `{ request: UUID, plan: SHA-256, key: id of a destroyed key }`. */
  ids: Type.Record(Type.String({ pattern: WORD }), Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._:+/=-]{0,199}$' }), {
    maxProperties: PROPERTIES_AT_MOST,
  }),
};
const closed = { additionalProperties: false } as const;

/** It is going to happen: on disk before anything is destroyed. */
const Intent = Type.Object(
  {
    kind: Type.Literal('intent'),
    ...common,
    /** Keyed hashes of (subject key id, primary key), by `markOf`: how a restored row is known again. */
    marks: Type.Array(Sha256, { maxItems: MARKS_AT_MOST }),
  },
  closed,
);
/** It happened. */
const Done = Type.Object({ kind: Type.Literal('done'), ...common }, closed);
/** It happened again, to a restored database. */
const Replayed = Type.Object({ kind: Type.Literal('replayed'), ...common }, closed);
/** It did not happen, and why. */
const Abandoned = Type.Object({ kind: Type.Literal('abandoned'), ...common, reason: Word }, closed);
export const Entry = Type.Union([Intent, Done, Replayed, Abandoned]);

/** The first line: which ledger it is, of which home, and with which key its marks are made. */
const Opened = Type.Object(
  {
    kind: Type.Literal('opened'),
    at: Instant,
    format: Type.Literal('safekeep-ledger/1'),
    ledger: Uuid,
    keyCheck: Sha256,
    verifierKey: Type.String(),
  },
  closed,
);
/** The last line of every segment but the newest, signed by the home. */
const Checkpoint = Type.Object(
  {
    kind: Type.Literal('checkpoint'),
    at: Instant,
    ledger: Uuid,
    segment: Type.Integer({ minimum: 1 }),
    signature: Type.Object(
      { keyName: Type.String(), keyId: Type.String(), algorithm: Type.Literal('Ed25519'), signature: Type.String() },
      closed,
    ),
  },
  closed,
);
export const LineContent = Type.Union([Intent, Done, Replayed, Abandoned, Opened, Checkpoint]);

export type Intent = Static<typeof Intent>;
export type Entry = Static<typeof Entry>;
export type Opened = Static<typeof Opened>;
export type Checkpoint = Static<typeof Checkpoint>;
export type LineContent = Static<typeof LineContent>;

type Undated<Some> = Some extends unknown ? Omit<Some, 'at'> : never;
/** An entry before it is written: the ledger says when. */
export type NewEntry = Undated<Entry>;
export type NewIntent = Undated<Intent>;

/** How an operation ended. */
export type Ending =
  | { readonly kind: 'done'; readonly counts: Intent['counts'] }
  | { readonly kind: 'abandoned'; readonly reason: string };

/** One line of the file. `sha256` is over the canonical JSON (RFC 8785) of what stands before it; `tag` is keyed, over `sha256`. */
export type Line = {
  readonly entry: LineContent;
  readonly previous: string;
  readonly sequence: number;
  readonly sha256: string;
  readonly tag: string;
};

/** Where the chain ends. */
export type Head = { readonly sequence: number; readonly sha256: string };

/** Where a line stands: nothing that follows it stands before. */
export type Place = { readonly segment: number; readonly atBytes: number };

/** Proof that an entry is on disk. */
export type Receipt = Head & {
  readonly ledger: LedgerId;
  readonly id: OperationId;
  readonly place: Place;
  /** Whether it is in the second copy too; null where none is kept. What is missing there is written with the next entry. */
  readonly copied: boolean | null;
};

/** What the database has seen of a ledger. */
export type SeenHead = Head & { readonly operation: string };
export type Seen = { readonly heads: readonly SeenHead[]; readonly otherLedgers: number };

export const EntryView = Type.Object({
  sequence: Type.Integer(),
  kind: Type.Union([Type.Literal('intent'), Type.Literal('done'), Type.Literal('replayed'), Type.Literal('abandoned')]),
  at: Type.String(),
  id: Type.String(),
  tenant: Type.String(),
  operation: Type.String(),
  counts: Type.Record(Type.String(), Type.Integer()),
  ids: Type.Record(Type.String(), Type.String()),
  marks: Type.Integer(),
  reason: Type.Union([Type.String(), Type.Null()]),
});
export type EntryView = Static<typeof EntryView>;

export const EntryPage = Type.Object({ entries: Type.Array(EntryView) });

const FaultCode = Type.Union([
  Type.Literal('line-broken'),
  Type.Literal('hash-wrong'),
  Type.Literal('tag-wrong'),
  Type.Literal('chain-broken'),
  Type.Literal('sequence-wrong'),
  Type.Literal('segment-missing'),
  Type.Literal('opening-wrong'),
  Type.Literal('checkpoint-missing'),
  Type.Literal('signature-wrong'),
  Type.Literal('key-wrong'),
  Type.Literal('order-wrong'),
  Type.Literal('copy-differs'),
  Type.Literal('copy-ahead'),
  Type.Literal('copy-unreadable'),
  Type.Literal('head-missing'),
]);
export type FaultCode = Static<typeof FaultCode>;

export const Verification = Type.Object({
  ok: Type.Boolean(),
  /** Null where there is no ledger yet. */
  ledger: Type.Union([Type.String(), Type.Null()]),
  segments: Type.Integer(),
  lines: Type.Integer(),
  entries: Type.Integer(),
  head: Type.Union([Type.Object({ sequence: Type.Integer(), sha256: Type.String() }), Type.Null()]),
  /** When the last entry was written: what was destroyed after it, this ledger does not know. */
  until: Type.Union([Type.String(), Type.Null()]),
  /** Intents without an end. */
  open: Type.Integer(),
  /** The newest line is incomplete: somebody is writing it, or a crash left it. The next append takes it out. */
  torn: Type.Boolean(),
  copy: Type.Object({
    state: Type.Union([Type.Literal('none'), Type.Literal('equal'), Type.Literal('behind'), Type.Literal('faulty')]),
    missingBytes: Type.Integer(),
  }),
  /** What the database has seen: `checked`, or `skipped` with --offline. */
  heads: Type.Object({
    state: Type.Union([Type.Literal('checked'), Type.Literal('skipped')]),
    seen: Type.Integer(),
    /** Ledgers that this database has seen and that are not this home's: of other machines, or of a home that is gone. */
    others: Type.Integer(),
  }),
  faults: Type.Array(
    Type.Object({
      code: FaultCode,
      segment: Type.Union([Type.Integer(), Type.Null()]),
      line: Type.Union([Type.Integer(), Type.Null()]),
      detail: Type.String(),
    }),
  ),
  seconds: Type.Number(),
});
export type Verification = Static<typeof Verification>;
export type Fault = Verification['faults'][number];
