import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';
import type { Queryable } from '@safekeep/postgres';

// ---- people's keys: what others seal with ----------------------------------------------------------------------------

/** Whether an erasure destroys what is sealed, or the law keeps it. */
export type Fate = 'erasable' | 'kept';

/** `patient:42` in a tenant. */
export type KeyOwner = { readonly tenant: string; readonly subject: string; readonly fate: Fate };

/** Good for {@link LEASE_MS} after it was read from the database; then it refuses (`key-lease-expired`) and is asked for again. */
export type SubjectKey = {
  /** 16 hex digits, as in the header of a sealed value. */
  readonly keyId: string;
  readonly seal: (plain: Uint8Array, context: Uint8Array) => Buffer;
  /** Throws when `sealed` was changed, or was sealed for another context. */
  readonly open: (sealed: Uint8Array, context: Uint8Array) => Buffer;
};

/** Where keys of people come from. `context` binds what is sealed to its place. */
export type SubjectKeys = {
  /**
   * In the transaction `db`; makes missing keys; a shredded one answers 'erased' and is never made again.
   * Keyed by `${tenant}/${subject}/${fate}`.
   */
  readonly forSealing: (db: Queryable, owners: readonly KeyOwner[]) => Promise<ReadonlyMap<string, SubjectKey | 'erased'>>;
  /** By key id. An id that the database does not know is not in the answer. */
  readonly forOpening: (db: Queryable, keyIds: readonly string[]) => Promise<ReadonlyMap<string, SubjectKey | 'erased'>>;
  /** Destroys all keys of the subject with these fates, also such as were never made; answers their key ids. */
  readonly destroy: (
    db: Queryable,
    owner: { readonly tenant: string; readonly subject: string },
    fates: readonly Fate[],
  ) => Promise<readonly string[]>;
};

// ---- keys as the database holds them ---------------------------------------------------------------------------------

export type KeyPurpose = 'subject' | 'data' | 'index';
export type KeyState = 'pre-active' | 'active' | 'decrypt-only' | 'held' | 'shredded';
export type Algorithm = 'AES-256-GCM' | 'HMAC-SHA-256';

/** What a wrapped key belongs to: it opens only there. */
export type KeyPlace = {
  readonly tenant: string;
  /** 8 bytes. */
  readonly keyId: Buffer;
  readonly purpose: KeyPurpose;
  /** Of a data or index key. */
  readonly scope: string | null;
  /** 16 bytes, of a person's key. */
  readonly mark: Buffer | null;
  readonly fate: Fate | null;
  readonly version: number;
};

/** A key of the database, wrapped. `wrapped` is null when it was destroyed. */
export type StoredKey = KeyPlace & {
  readonly state: KeyState;
  readonly epoch: number;
  readonly wrapped: Buffer | null;
  readonly usageCount: number;
};

export type EpochState = 'current' | 'retiring' | 'destroyed';
export type Epoch = {
  readonly epoch: number;
  readonly state: EpochState;
  readonly check: Buffer;
  readonly createdAt: Date;
  readonly destroyedAt: Date | null;
};

// ---- what other capabilities bring -----------------------------------------------------------------------------------

/** A person, as holds know them: `patient` and the parts of the key. */
export type PersonKey = { readonly type: string; readonly key: readonly string[] };

/** Where sealed values stand: encrypted columns, payloads of the log. Whoever seals registers where. */
export type SealedPlace = {
  readonly name: string;
  /** Values by key id (16 hex digits), read from their headers alone. */
  readonly census: (db: Queryable, tenant: string) => Promise<ReadonlyMap<string, number>>;
  /** In the transaction that destroys a person's keys: nulls what would outlive them (blind indexes). Rows by external name of the table. */
  readonly forget?: (db: Queryable, tenant: string, person: PersonKey) => Promise<Readonly<Record<string, number>>>;
};

/** Told of what is done with keys, for the log, in the transaction `db` where it is done in one. Never a key, a person or a value. */
export type KeyEvent = {
  readonly operation: string;
  readonly tenant: string;
  /** 16 hex digits; null where it is about many. */
  readonly keyId: string | null;
  readonly rows: number;
  /** Code of the refusal; null when it was done. */
  readonly error: string | null;
};
export type RecordEvent = (event: KeyEvent, db?: Queryable) => Promise<void>;

/** A copy of data or of keys that lives outside: a backup, a replica, archived WAL. `until` null: nobody knows how long. */
export type KnownCopy = { readonly name: string; readonly until: Date | null };

/** When what was shredded can no longer be opened by anybody, whatever they kept. */
export type Horizon = {
  /** `passed`, `scheduled`: on that day. `unknown`: `reasons` says why. */
  readonly state: 'passed' | 'scheduled' | 'unknown';
  readonly at: Date | null;
  readonly reasons: readonly string[];
};

// ---- documents of the commands ---------------------------------------------------------------------------------------

const Nullable = <Schema extends Parameters<typeof Type.Union>[0][number]>(schema: Schema) => Type.Union([schema, Type.Null()]);
const Instant = Type.String({ description: 'ISO 8601, UTC' });

export const KeyText = Type.Object({
  id: Type.String({ description: '16 hex digits' }),
  /** `subject erasable`, `subject kept`, or the name of the type of data. */
  scope: Type.String(),
  columns: Type.Array(Type.String(), { description: 'SCHEMA.TABLE.COLUMN whose values it seals or indexes' }),
  purpose: Type.Union([Type.Literal('subject'), Type.Literal('data'), Type.Literal('index')]),
  state: Type.Union([
    Type.Literal('pre-active'),
    Type.Literal('active'),
    Type.Literal('decrypt-only'),
    Type.Literal('held'),
    Type.Literal('shredded'),
  ]),
  version: Type.Integer(),
  algorithm: Type.String(),
  epoch: Type.Integer(),
  createdAt: Instant,
  expiresAt: Nullable(Instant),
  lastUsedAt: Nullable(Instant),
  destroyedAt: Nullable(Instant),
  uses: Type.Integer(),
  /** Values sealed under it, by the newest census of this call; null where none was taken. */
  values: Nullable(Type.Integer()),
  alerts: Type.Array(Type.String()),
});
export type KeyText = Static<typeof KeyText>;

export const KeyPage = Type.Object({
  keys: Type.Array(KeyText),
  /** Where the next page begins; null on the last. */
  next: Nullable(Type.String()),
  root: Type.Object({ kind: Type.String(), id: Type.String(), detail: Type.String() }),
  epochs: Type.Array(
    Type.Object({
      epoch: Type.Integer(),
      state: Type.Union([Type.Literal('current'), Type.Literal('retiring'), Type.Literal('destroyed')]),
      createdAt: Instant,
      destroyedAt: Nullable(Instant),
    }),
  ),
  /** Of the whole ring: an old epoch, a backup that is missing or older than the epoch. */
  alerts: Type.Array(Type.String()),
});

export const Census = Type.Object({
  keys: Type.Array(
    Type.Object({
      id: Type.String(),
      scope: Type.String(),
      columns: Type.Array(Type.String()),
      state: Type.String(),
      values: Type.Integer(),
    }),
  ),
  /** Values by the place they stand in. */
  places: Type.Record(Type.String(), Type.Integer()),
  values: Type.Integer(),
  /** Ids in the data that this tenant has no key for. */
  unknown: Type.Array(Type.String()),
});
export type Census = Static<typeof Census>;

export const Rotation = Type.Object({
  scope: Type.String(),
  /** What is in force from now on: a key id, an epoch or a root. */
  now: Type.String(),
  before: Nullable(Type.String()),
  /** Keys that were wrapped anew. */
  rewrapped: Type.Integer(),
  destroyed: Nullable(Instant),
  /** The export that was read back before anything was destroyed. */
  exported: Nullable(Type.String()),
  seconds: Type.Number(),
});
export type Rotation = Static<typeof Rotation>;

export const KeyDestroyed = Type.Object({
  id: Type.String(),
  scope: Type.String(),
  purpose: Type.String(),
  state: Type.String(),
  version: Type.Integer(),
  /** Null where it was only looked at. */
  destroyed: Nullable(Instant),
  events: Nullable(
    Type.Integer({
      description:
        'events of the audit log since the key was made that tell of changes of its columns; null of a column that is encrypted no more',
    }),
  ),
});

export const KeyBackup = Type.Object({
  id: Type.String(),
  files: Type.Array(Type.String()),
  beside: Type.Array(Type.String(), {
    description: 'exports of the key table that are too large for it: copy them too, and give each to `keys recover --export`',
  }),
  /** Tenants and their epochs in it. */
  epochs: Type.Record(Type.String(), Type.Array(Type.Integer())),
  keepUntil: Nullable(Instant),
});
export type KeyBackup = Static<typeof KeyBackup>;

export const Recovery = Type.Object({
  epochs: Type.Record(Type.String(), Type.Array(Type.Integer())),
  /** Files put back beside the keys: of the ledger, of signatures. */
  files: Type.Array(Type.String()),
  /** Keys of the database that were tried, and those that do not open. */
  keys: Type.Integer(),
  closed: Type.Integer(),
  /** Keys that the newest export brought up to date. */
  restored: Type.Integer(),
  ok: Type.Boolean(),
});
export type Recovery = Static<typeof Recovery>;

export const Shreds = Type.Object({
  shredded: Type.Integer(),
  held: Type.Integer(),
  recovered: Type.Object({ done: Type.Integer(), abandoned: Type.Integer() }),
});
