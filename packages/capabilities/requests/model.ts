import type pg from 'pg';
import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';
import type { Id } from '@safekeep/core';
import type { Signature } from '@safekeep/crypto';
import type { Queryable } from '@safekeep/postgres';
import type { CommandContext } from '../capability.ts';
import type { Person } from '../holds/index.ts';

export type ErasureId = Id<'erasure'>;

/** Default `anonymise`: rows stay, what is personal in them is masked. `delete`: rows that die with the person are removed. */
export type ErasureMode = 'anonymise' | 'delete';

/** One row of a person, known by its key or, in a table without one, by its place for the length of a transaction. */
export type RowKey = readonly string[];

// ---- ports: what other capabilities bring, put together where the program is -------------------------------------------

/** What the parts of an erasure are told. Rows are keys by external name of their table. */
export type ErasureScope = {
  readonly tenant: string;
  readonly person: Person;
  /** Of this erasure; the same in ledger and certificate. Null while it is only planned. */
  readonly erasure: ErasureId | null;
  readonly rows: ReadonlyMap<string, readonly RowKey[]>;
  /** Rows that a hold or a duty keeps: their keys and ciphertext must survive. */
  readonly kept: ReadonlyMap<string, readonly RowKey[]>;
  /** There are such rows, also where `kept` does not name them any more: after the commit. */
  readonly isKept: boolean;
  /** One of the chunks of a large erasure: only these rows are about to be changed, and others of the person later. */
  readonly isPart?: boolean;
  readonly mode: ErasureMode;
  /** Holds that keep rows: what the keys of the person open must stay open until they end, and the erasure then comes again. */
  readonly holds: readonly string[];
};

/** What a part will do, for the plan: part of its hash. Counts and names, never a value of a row. */
export type ParticipantPlan = {
  readonly will: readonly string[];
  readonly keeps: readonly { readonly what: string; readonly reason: string; readonly until: string | null }[];
  readonly externalCopies: readonly ExternalCopy[];
  /** Why it cannot be done at all. */
  readonly blocked: readonly Blocked[];
};

/** What a part did, for the certificate. */
export type ParticipantEffects = {
  readonly counts: Readonly<Record<string, number>>;
  readonly keysDestroyed: readonly string[];
  /** By when no backup can open what was sealed; null where that is not known. */
  readonly horizon: string | null;
};

export type ErasureMoment = 'before-rows' | 'after-chunk' | 'after-rows';

/**
 * A capability that takes part in every erasure: it drains and forgets (audit), destroys keys and blind indexes (encryption).
 * `within` runs in the erasing transaction: `before-rows` first thing, also in each chunk of a large one, `after-chunk` at the end of such a
 * chunk, while the person is there still, `after-rows` at the end of the last. What it throws takes all of that transaction back.
 */
export type ErasureParticipant = {
  readonly name: string;
  /** Outside of any transaction, before the first that erases. May be called again. */
  readonly before?: (scope: Pick<ErasureScope, 'tenant' | 'person'>) => Promise<void>;
  /** In the transaction that plans, before it rehearses; the same again at the beginning of one that erases. */
  readonly plan: (db: Queryable, scope: ErasureScope) => Promise<ParticipantPlan>;
  readonly within: (client: pg.ClientBase, moment: ErasureMoment, scope: ErasureScope) => Promise<ParticipantEffects>;
  /** After the commit and before `recheck`; where it fails that is told, and the erasure stands. May be called again. */
  readonly after: (db: Queryable, scope: ErasureScope) => Promise<void>;
  /** Tables of its own in which the person stood: statistics are made anew, and what lies dead in their files is told. */
  readonly tables?: readonly string[];
  /** What of the person it still finds, in counts and places. */
  readonly recheck: (db: Queryable, scope: ErasureScope) => Promise<readonly Residue[]>;
  /**
   * The random ids of these people's keys, by their places, null where there is none: what tells them from strangers who are given
   * their numbers again. One question for all of them.
   */
  readonly subjectKeyIds?: (
    db: Queryable,
    scope: { readonly tenant: string; readonly people: readonly Person[] },
  ) => Promise<readonly (string | null)[]>;
};

/** A stored value of a column, and whose it is. */
export type SealedValue = { readonly table: string; readonly column: string; readonly stored: Buffer };

/** Opens what is sealed. */
export type FieldOpener = {
  /** The plaintexts, by place; null for what was shredded. Throws where one cannot be opened. */
  readonly open: (
    db: Queryable,
    scope: { readonly tenant: string },
    values: readonly SealedValue[],
  ) => Promise<readonly (string | null)[]>;
  /** Keys of the rows whose sealed column may hold the value; the caller looks at the plaintext. Null: no index serves it. */
  readonly find: (
    db: Queryable,
    question: {
      readonly tenant: string;
      readonly table: string;
      readonly column: string;
      readonly value: string;
      readonly key: readonly string[];
    },
  ) => Promise<readonly RowKey[] | null>;
  /** What takes the place of a sealed value: nothing, or where the column must hold something `text` sealed, with its indexes. */
  readonly mask: (
    db: Queryable,
    wanted: { readonly tenant: string; readonly table: string; readonly column: string; readonly text: string },
  ) => Promise<SealedMask | null>;
};

export type SealedMask = {
  readonly encryptedColumn: string;
  readonly isPlainEmpty: boolean;
  readonly stored: Buffer | null;
  readonly indexes: readonly { readonly column: string; readonly value: string | null }[];
};

/** Who looked at a person's data, for the person. */
export type AccessLog = (
  db: Queryable,
  scope: { readonly tenant: string; readonly person: Person; readonly from: Date | null; readonly to: Date | null },
) => AsyncIterable<Readonly<Record<string, string | null>>>;

/** What the composition root opens for a command. Everything holds with empty lists too. */
export type RequestPorts = {
  readonly participants: readonly ErasureParticipant[];
  readonly opener?: FieldOpener;
  readonly accessLog?: AccessLog;
  readonly close?: () => Promise<void>;
};

/** Opens the ports of a command; they are closed at its end. */
export type OpenPorts = (context: CommandContext) => Promise<RequestPorts>;

// ---- traversal -----------------------------------------------------------------------------------------------------------

/** How a table's rows are told apart. */
export type Identity =
  | { readonly kind: 'key'; readonly columns: readonly { readonly name: string; readonly type: string }[] }
  /** No key: by place (partition and ctid), good for one transaction. */
  | { readonly kind: 'place' };

export type Blocked = { readonly table: string | null; readonly what: string; readonly rows: number; readonly remedy: string };
export type ExternalCopy = { readonly place: string; readonly kind: string; readonly state: string; readonly note: string };
export type Residue = { readonly place: string; readonly what: string; readonly count: number; readonly remedy: string };

// ---- what commands give --------------------------------------------------------------------------------------------------

const Nullable = Type.Union([Type.String(), Type.Null()]);

export const FoundText = Type.Object({
  matches: Type.Array(
    Type.Object({
      subject: Type.String({ description: 'type:key' }),
      label: Type.Union([Type.String({ description: 'initials, unless --reveal' }), Type.Null()]),
      matched: Type.Array(Type.String({ description: 'column that matched' })),
      exact: Type.Boolean(),
      rows: Type.Union([Type.Integer({ description: 'rows of theirs, where people are to be told apart' }), Type.Null()]),
      erased: Type.Boolean(),
    }),
  ),
  ambiguous: Type.Boolean({ description: 'several people match exactly' }),
  more: Type.Boolean({ description: 'there are more than are shown' }),
  searched: Type.Array(Type.String({ description: 'TYPE by COLUMN, COLUMN: where it was looked' })),
});
export type FoundText = Static<typeof FoundText>;

const ActionText = Type.Union([Type.Literal('delete'), Type.Literal('mask'), Type.Literal('detach'), Type.Literal('keep')]);
export type Action = Static<typeof ActionText>;

export const PlanLine = Type.Object({
  table: Type.String(),
  rows: Type.Integer(),
  action: ActionText,
  reason: Type.String(),
  basis: Type.Optional(Type.String({ description: 'the ground on which it is kept' })),
  until: Type.Optional(Type.String({ description: 'the day after the last of these rows need not be kept any more' })),
  columns: Type.Array(Type.String({ description: 'what is written' })),
});
export type PlanLine = Static<typeof PlanLine>;

const BlockedText = Type.Object({ table: Nullable, what: Type.String(), rows: Type.Integer(), remedy: Type.String() });
const ExternalText = Type.Object({ place: Type.String(), kind: Type.String(), state: Type.String(), note: Type.String() });
const ResidueText = Type.Object({ place: Type.String(), what: Type.String(), count: Type.Integer(), remedy: Type.String() });

export const ErasurePlan = Type.Object({
  hash: Type.String(),
  subject: Type.String(),
  mode: Type.Union([Type.Literal('anonymise'), Type.Literal('delete')]),
  tables: Type.Array(PlanLine),
  kept: Type.Array(
    Type.Object({ table: Type.String(), rows: Type.Integer(), reason: Type.String(), basis: Nullable, until: Nullable }),
  ),
  blocked: Type.Array(BlockedText),
  holds: Type.Array(Type.Object({ id: Type.String(), target: Type.String(), rows: Type.Integer(), wholePerson: Type.Boolean() })),
  externalCopies: Type.Array(ExternalText),
  notes: Type.Array(Type.String()),
  erasedBefore: Type.Union([Type.Object({ at: Type.String(), certificate: Type.String() }), Type.Null()], {
    description: 'the last erasure of this person, by the name of its certificate in the home',
  }),
  estimate: Type.Object({ rows: Type.Integer(), seconds: Type.Number(), chunks: Type.Integer() }),
  signature: Type.Optional(
    Type.Union([Type.Literal('given'), Type.Literal('missing')], {
      description: 'where approvers have keys: whether one of them has signed it, without which nobody can approve it',
    }),
  ),
});
export type ErasurePlan = Static<typeof ErasurePlan>;

/** What a part counts rows as that were not as the log has them when they were about to be erased. */
export const UNEXPLAINED = 'rows-unexplained';

export const ErasureDone = Type.Object({
  certificate: Nullable,
  erasure: Type.String(),
  counts: Type.Record(Type.String(), Type.Integer()),
  verified: Type.Boolean(),
  state: Type.String(),
  due: Type.Union([Type.String({ description: 'from when on the first row that a duty keeps can be erased' }), Type.Null()]),
  unexplained: Type.Integer({ description: 'rows that were not as the log has them before: `audit verify --full` tells which' }),
  residue: Type.Array(ResidueText),
  externalCopies: Type.Array(ExternalText),
});
export type ErasureDone = Static<typeof ErasureDone>;

/** That the holder of a key has planned an erasure, or approved it: docs/certificate.md. */
export type ApprovalProof = {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly signature: Signature;
};
export type ApprovalProofs = { readonly planned: ApprovalProof; readonly approved: ApprovalProof };

/** A plan that was approved, and by whom: with proofs the names are those of the keys. */
export type Approved = {
  readonly plan: string;
  readonly plannedBy: string;
  readonly approvedBy: string;
  readonly proofs?: ApprovalProofs;
};

/** The signed account of an erasure: docs/certificate.md. No place in it for a value of a person. */
export type CertificateBody = {
  readonly format: 'safekeep-certificate/1';
  readonly kind: 'erasure';
  readonly id: string;
  readonly tenant: string;
  readonly issuedAt: string;
  readonly subject: { readonly type: string; readonly mark: string };
  readonly plan: string;
  /** SHA-256 of the text of the map that it went by: with another one another erasure would have been done. */
  readonly map: string;
  readonly mode: ErasureMode;
  readonly plannedBy: string;
  readonly approvedBy: string;
  /** Signatures of planner and approver, where they were asked for; else the names are claimed only. */
  readonly proofs?: ApprovalProofs;
  /** Approvals before this one: of chunks that were erased under them, or of what a hold then put off. */
  readonly approvedBefore?: readonly Approved[];
  readonly tables: readonly {
    readonly table: string;
    readonly before: number;
    readonly deleted: number;
    readonly masked: number;
    readonly detached: number;
    readonly kept: number;
  }[];
  readonly rows: { readonly count: number; readonly root: string };
  /** What somebody wrote while the rest was erased, and that was erased right after it; in `tables` and `rows` too. */
  readonly late?: readonly { readonly table: string; readonly rows: number }[];
  readonly kept: ErasurePlan['kept'];
  readonly holds: readonly string[];
  readonly participants: readonly (ParticipantEffects & { readonly name: string })[];
  readonly keysDestroyed: readonly string[];
  readonly ledger: { readonly operation: string };
  readonly externalCopies: readonly ExternalCopy[];
  /** From when on no backup can hold the person; null: not known to Safekeep. */
  readonly noBackupAfter: string | null;
  readonly residue: readonly Residue[];
  /** The certificate that this one takes the place of. */
  readonly supersedes: string | null;
};

export const ExportDone = Type.Object({
  export: Type.String(),
  subject: Type.String(),
  format: Type.Union([Type.Literal('zip'), Type.Literal('json'), Type.Literal('csv'), Type.Literal('pdf')]),
  file: Type.String(),
  sealed: Type.Boolean({ description: 'kept in the home under its key; `subject open-export` gives it out' }),
  expiresAt: Nullable,
  expired: Type.Integer({ description: 'kept exports that nobody fetched in time and that were deleted' }),
  tables: Type.Array(Type.Object({ table: Type.String(), rows: Type.Integer() })),
  rows: Type.Integer(),
  withheld: Type.Array(Type.Object({ table: Type.String(), column: Type.String(), reason: Type.String() })),
  unconfirmed: Type.Array(Type.String(), { description: 'purposes in it that a scan proposed and nobody confirmed' }),
  elsewhere: Type.Array(
    Type.Object({ place: Type.String({ description: 'outside of the database, to be added by hand' }), kind: Type.String() }),
  ),
});
export type ExportDone = Static<typeof ExportDone>;

export const ErasuresText = Type.Object({
  erasures: Type.Array(
    Type.Object({
      id: Type.String(),
      state: Type.String({ description: 'running, committed, held, due, outside, kept, done, unfulfilled' }),
      subject: Type.Union([Type.String({ description: 'type:key, as long as something is to be done' }), Type.Null()]),
      mode: Type.String(),
      plan: Type.String(),
      startedAt: Type.String(),
      finishedAt: Nullable,
      holds: Type.Array(Type.String()),
      due: Type.Union([Type.String({ description: 'from when on the first row that a duty keeps can be erased' }), Type.Null()]),
      residue: Type.Array(ResidueText, { description: 'of one that --run found unfulfilled: what is still there, and what to do' }),
      error: Nullable,
    }),
  ),
  missing: Type.Optional(
    Type.Array(Type.String(), { description: 'with --check: erasures of the ledger of this home that the database does not know' }),
  ),
});
export type ErasuresText = Static<typeof ErasuresText>;

export const EndReason = Type.Union([
  Type.Literal('came-back'),
  Type.Literal('somebody-else'),
  Type.Literal('gone'),
  Type.Literal('not-ours'),
]);
export type EndReason = Static<typeof EndReason>;

export const EndedText = Type.Object({ erasure: Type.String(), because: EndReason, by: Type.String(), state: Type.String() });
export type EndedText = Static<typeof EndedText>;

export const DuePlan = Type.Object({
  hash: Type.Union([Type.String({ description: 'of all these plans together' }), Type.Null()]),
  persons: Type.Array(
    Type.Object({
      subject: Type.String(),
      erasure: Type.String({ description: 'the one that left what a duty kept' }),
      due: Type.Union([Type.String(), Type.Null()], { description: 'null: the row that is kept has no date yet' }),
      plan: Type.Union([ErasurePlan, Type.Null()]),
      state: Type.String({
        description: 'planned, blocked, held, ambiguous, not-yet, failed; after an approval what became of it',
      }),
      doubt: Type.Union([
        Type.String({ description: 'why it may be somebody else under the number, or somebody who came back by themselves' }),
        Type.Null(),
      ]),
      certificate: Nullable,
      error: Nullable,
    }),
  ),
  more: Type.Boolean({ description: 'there are more than are shown' }),
  next: Type.Union([Type.String({ description: 'when the next one will be due' }), Type.Null()]),
  erasure: Type.Optional(Type.String({ description: 'after an approval: the erasures that were carried out, parted by blanks' })),
  state: Type.Optional(Type.String({ description: 'after an approval: how many came to which state' })),
});
export type DuePlan = Static<typeof DuePlan>;

export const ReplayText = Type.Object({
  erasures: Type.Integer({ description: 'marks of people in the ledger who were erased' }),
  until: Type.Union([
    Type.String({ description: 'up to when the ledger tells: who was erased later is not known to it' }),
    Type.Null(),
  ]),
  otherLedgers: Type.Integer({
    description: 'ledgers of other homes that this database has seen: who stands in those is not looked for',
  }),
  persons: Type.Array(
    Type.Object({
      subject: Type.String(),
      erasedAt: Type.String(),
      operation: Type.String(),
      rows: Type.Integer(),
      state: Type.String({ description: 'planned, done, held, failed, ambiguous, …' }),
      doubt: Type.Union([
        Type.String({ description: 'why it may be somebody else, or somebody who came back by themselves' }),
        Type.Null(),
      ]),
      error: Nullable,
    }),
  ),
  sequences: Type.Array(Type.String({ description: 'moved past numbers that were given out before the restore' })),
  sequencesLeft: Type.Integer({
    description:
      'sequences of one erasure, at most, of which the ledger had no place for how far they had come: move those yourself',
  }),
});
export type ReplayText = Static<typeof ReplayText>;

export const CanaryText = Type.Object({
  run: Type.String(),
  at: Type.String(),
  state: Type.Union([Type.Literal('pass'), Type.Literal('fail'), Type.Literal('not-evaluable')]),
  seeded: Type.Integer({ description: 'rows that were made up' }),
  exported: Type.Integer({ description: 'rows that the export found' }),
  faults: Type.Array(Type.String()),
});
export type CanaryText = Static<typeof CanaryText>;
