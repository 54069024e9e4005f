import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';
import type { Id } from '@safekeep/core';
import type { Fate } from '../encryption/index.ts';

export type EventId = Id<'audit-event'>;

// ---- keys ------------------------------------------------------------------------------------------------------------

/** Owns what is personal and whose person could not be found. No subject is named so: theirs have a colon. */
export const QUARANTINE = 'quarantine';

/**
 * The action of an event by which an erasure says how a row stands after it: what the log had of the row is gone with the person's key, and
 * a later edit of the row must be found all the same.
 */
export const REMAIN = 'remain';

/**
 * The action of an event by which `decrypt` says that columns of a table have their plaintext back, where the log has their ciphertext: it
 * gives no value, since nothing was changed, and what was said of these columns before is held against no row any more.
 */
export const PLAINTEXT_BACK = 'decrypt';

/** The action of an event by which the home says that events were dropped by policy. */
export const MONTHS_DROPPED = 'audit-months-dropped';

/** What `details.actor` says where the one who acted is the person who was erased: their name was never written down. */
export const ERASED_ACTOR = 'erased';

// ---- capture ---------------------------------------------------------------------------------------------------------

/** A column as capture writes it: text in PostgreSQL's own form, whatever the settings of the session. */
export type CapturedColumn = {
  readonly name: string;
  /** As declared, with its schema where it is not PostgreSQL's own: what a text of it is cast to. */
  readonly type: string;
  /** Declared with a type that PostgreSQL itself brings. Of any other a user may say what a cast or an operator does. */
  readonly builtIn: boolean;
  /** An enumerated type, as the table stands while it is read; not written down. */
  readonly enumerated?: boolean;
  readonly form: ColumnForm;
  /** By the map. Sealed under the keys of the people whom the row is about; everything else is readable. */
  readonly personal: boolean;
  /** Names the row or leads to others of the same person: sealed like what is personal where the row has a person. */
  readonly identifies: boolean;
  /** Place of the path in `paths` whose person it belongs to; null: everybody's. */
  readonly path: number | null;
  /** Of a column that is encrypted: where its ciphertext stands. A row that has one is logged with that and without the plaintext beside it. */
  readonly sealedIn?: string;
  /** Of the column of a ciphertext and of what it is searched by: the value that it carries. */
  readonly carries?: { readonly plain: string; readonly encrypted: string };
};

/**
 * How a value becomes a text: `iso` dates and times by way of JSON, instants at UTC; `hex` bytea; `text` by its output function.
 * `large`: a value that could be too large for the log is replaced by its hash and size.
 */
export type ColumnForm = 'iso' | 'utc' | 'hex' | 'text' | 'large';

export type CapturedHop = {
  readonly from: string;
  readonly columns: readonly string[];
  /** External name of the table that it arrives at, and its parts. */
  readonly to: string;
  readonly schema: string;
  readonly name: string;
  readonly references: readonly { readonly name: string; readonly type: string }[];
};

/** A way to a person. Its first step goes by columns of the row itself, whose key capture writes down. */
export type CapturedPath = {
  readonly subject: string;
  readonly hops: readonly CapturedHop[];
  /** The key columns of the subject's table. */
  readonly key: readonly string[];
  /** Of the row's own columns that the first step goes by. */
  readonly link: readonly string[];
};

/** What the sequencer and the attestation must know of a table: written by apply, taken out by unapply. */
export type Capture = {
  readonly tenant: string;
  readonly table: string;
  readonly schema: string;
  readonly name: string;
  readonly key: readonly CapturedColumn[];
  readonly columns: readonly CapturedColumn[];
  readonly paths: readonly CapturedPath[];
  readonly fate: Fate;
  readonly actor: 'off' | 'warn' | 'require';
  /** The column that names a row's tenant; null where all belong to the one of the apply. */
  readonly tenantColumn: string | null;
  /** Others inherit from it, whose rows are theirs: it is read without them. */
  readonly alone?: true;
  /** What stands for it in the database, so that it can be told whether it still does. */
  readonly triggers: readonly string[];
  readonly functions: readonly { readonly name: string; readonly sha256: string }[];
};

// ---- events ----------------------------------------------------------------------------------------------------------

export const eventKinds = ['change', 'access', 'security', 'compliance', 'retention'] as const;
export type EventKind = (typeof eventKinds)[number];

/** signed: proven by the application; claimed: said by it; system: Safekeep itself. */
export type Attribution = 'signed' | 'claimed' | 'none' | 'system';

/** Values by column, as texts in PostgreSQL's form; `{sha256, bytes}` for one that is too large for the log. */
export type Values = Readonly<Record<string, string | null | { readonly sha256: string; readonly bytes: number }>>;

/** What stands for values that the log may not know, by column. See `MarkOf`. */
export type Marks = Readonly<Record<string, string>>;

/** What an event says of a change. An INSERT has no `old`, a DELETE no `new`; an UPDATE has the changed columns in both. */
export type Change = { readonly old?: Values; readonly new?: Values };

/** What is hashed into the tree. Holds nothing personal. */
export type Leaf = {
  readonly id: string;
  /** UTC, microseconds: `2026-11-29T14:30:00.123456Z`. */
  readonly at: string;
  readonly sequencedAt: string;
  readonly kind: EventKind;
  readonly action: string;
  readonly table: string | null;
  readonly columns: readonly string[] | null;
  readonly actor: Uint8Array | null;
  readonly attribution: Attribution;
  readonly commitments: readonly Commitment[];
};

/** What a commitment is about: `l` record and subject, `r` what is readable, `s` a sealed blob. */
export type CommitmentKind = 'l' | 'r' | 's';
/** With what opens it, as long as nothing of that was destroyed. */
export type Commitment = {
  readonly kind: CommitmentKind;
  readonly hash: Uint8Array;
  readonly salt?: Uint8Array;
  readonly bytes?: Uint8Array;
};

/** What a commitment is over. */
export type Content = { readonly kind: CommitmentKind; readonly bytes: Uint8Array };

/** A blob under one key, as it stands in `sealed`. */
export type SealedBlob = { readonly keyId: string; readonly bytes: Uint8Array };

/** A row of audit_events, times as texts in UTC with microseconds. */
export type EventRow = {
  readonly tenant: string;
  readonly sequencedAt: string;
  readonly era: number;
  readonly index: number;
  readonly id: string;
  readonly at: string;
  readonly orderNo: string;
  readonly kind: EventKind;
  readonly action: string;
  readonly table: string | null;
  readonly columns: readonly string[] | null;
  readonly record: string | null;
  readonly subject: string | null;
  readonly otherSubjects: readonly string[] | null;
  readonly actor: string | null;
  readonly actorPseudonym: Buffer | null;
  readonly attribution: Attribution;
  readonly purpose: string | null;
  readonly request: string | null;
  /** As jsonb writes it: the text that is committed to. */
  readonly details: string | null;
  /** The seed of all salts; once one of them was destroyed, each commitment by itself. See `commitmentsOf`. */
  readonly commitments: Buffer;
  readonly sealed: Buffer | null;
  /** The home's word for what an erasure left of it; null where none was there. See `emptiedMark`. */
  readonly emptied: Buffer | null;
};

/** An event of Safekeep's own. */
export type NewEvent = {
  readonly kind: Exclude<EventKind, 'change'>;
  /** Kebab-case: `signed-in`, `access-denied`, `plan-applied`. */
  readonly action: string;
  /** `patient:42` */
  readonly subject?: string;
  /** External name. */
  readonly table?: string;
  readonly record?: string;
  /** Nothing personal: it stays readable for ever. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly actor?: { readonly name: string; readonly purpose?: string; readonly request?: string };
};

// ---- what commands answer --------------------------------------------------------------------------------------------

export const Sequenced = Type.Object({
  state: Type.Union([Type.Literal('done'), Type.Literal('busy')], { description: 'busy: another sequencer is at work' }),
  events: Type.Integer({ description: 'moved into the trees by this call' }),
  quarantined: Type.Integer({ description: 'personal events whose person could not be found' }),
  erased: Type.Integer({ description: 'events whose person is erased: in the tree without what they said' }),
  logs: Type.Array(
    Type.Object({
      tenant: Type.String(),
      era: Type.Integer(),
      origin: Type.String(),
      size: Type.Integer(),
      root: Type.String({ description: 'base64' }),
    }),
  ),
});
export type Sequenced = Static<typeof Sequenced>;

export const MONTHS_AT_MOST = 1200;

export const Partitions = Type.Object({
  partitions: Type.Array(
    Type.Object({
      name: Type.String(),
      bounds: Type.String(),
      rows: Type.Integer({ description: 'about so many: as PostgreSQL counted when it last analysed the partition' }),
      sizeBytes: Type.Integer(),
    }),
  ),
  made: Type.Array(Type.String()),
  dropped: Type.Array(Type.String()),
  indexed: Type.Array(Type.String(), { description: 'closed months whose readable words can now be searched by an index' }),
});
export type Partitions = Static<typeof Partitions>;

export const Attestation = Type.Object({
  ok: Type.Boolean(),
  tables: Type.Integer({ description: 'captured tables that were looked at' }),
  digest: Type.String({ description: 'SHA-256 over all that the log rests on; the same as before where nothing was changed' }),
  faults: Type.Array(Type.Object({ code: Type.String(), detail: Type.String() })),
});
export type Attestation = Static<typeof Attestation>;

export const Acknowledged = Type.Object({
  lost: Type.Array(
    Type.Object({
      origin: Type.String(),
      size: Type.Integer({ description: 'events that were signed' }),
      stands: Type.Integer({ description: 'events of that log in the database' }),
    }),
  ),
  adopted: Type.Array(Type.String(), { description: 'origins of logs of which the home had no checkpoint' }),
  baselines: Type.Array(Type.String(), {
    description: 'tables whose rows were not as the log has them: a new baseline is taken of what stands there',
  }),
});
export type Acknowledged = Static<typeof Acknowledged>;

export const ActorKey = Type.Object({ keyId: Type.String(), secret: Type.String({ description: 'hex; shown this once' }) });

export const NoteText = Type.Object({ text: Type.String() });
