import type pg from 'pg';
import type { Queryable } from '@safekeep/postgres';
import type { ApprovalProof, ErasureId, ErasureMode } from '../model.ts';

export async function hasStandingHolds(client: pg.ClientBase, tenant: string): Promise<boolean> {
  const { rows } = await client.query<{ stands: boolean }>(
    'select exists (select from safekeep.standing_holds where tenant_id = $1) as stands',
    [tenant],
  );
  return rows[0]?.stands === true;
}

/**
 * Which of these persons were erased, be the certificate still to come, and left rows or an empty one. Not those of whom a hold keeps something:
 * they come again when it ends.
 */
export async function erasedMarks(client: pg.ClientBase, tenant: string, marks: readonly string[]): Promise<readonly string[]> {
  const { rows } = await client.query<{ mark: string }>(
    `select distinct subject_mark as mark from safekeep.erasures
      where tenant_id = $1 and subject_mark = any ($2) and state in ('committed', 'done', 'kept', 'outside')`,
    [tenant, marks],
  );
  return rows.map(({ mark }) => mark);
}

export type ErasuresHere = {
  /** Their ids. */
  readonly all: ReadonlySet<string>;
  readonly last: string;
  /** The last one left rows that are held. */
  readonly isHeld: boolean;
};

/** Of these persons those whom this database knows to be erased, by mark. */
export async function erasuresHere(
  client: pg.ClientBase,
  tenant: string,
  marks: readonly string[],
): Promise<ReadonlyMap<string, ErasuresHere>> {
  const { rows } = await client.query<{ mark: string; erasure: string; isHeld: boolean }>(
    `select subject_mark as mark, erasure_id as erasure, state = 'held' as "isHeld" from safekeep.erasures
      where tenant_id = $1 and subject_mark = any ($2) and state not in ('running', 'due')
      order by subject_mark, erasure_id desc`,
    [tenant, marks],
  );
  return new Map(
    [...Map.groupBy(rows, ({ mark }) => mark)].map(([mark, same]) => [
      mark,
      {
        all: new Set(same.map(({ erasure }) => erasure)),
        last: same[0]?.erasure ?? '',
        isHeld: same[0]?.isHeld === true,
      },
    ]),
  );
}

export type StoredPlan = {
  readonly hash: string;
  readonly type: string;
  readonly key: string;
  readonly mode: ErasureMode;
  readonly counts: Readonly<Record<string, number>>;
  readonly plannedBy: string;
  readonly plannedAt: Date;
  /** From when on the first row that a duty keeps need not be kept. */
  readonly due: Date | null;
  /** Those that keep something. */
  readonly holds: readonly string[];
  /** The planner's signature; null where none was given. */
  readonly proof: ApprovalProof | null;
};

/** The same plan again keeps who made it and when, as long as that one can be approved. */
export async function storePlan(
  client: pg.ClientBase,
  tenant: string,
  plan: StoredPlan,
  canBeApproved: (known: StoredPlan) => boolean,
): Promise<void> {
  const known = await findPlan(client, tenant, plan.hash);
  // Two statements, since the login of an application may insert and delete plans and not change them.
  if (known !== undefined && !canBeApproved(known))
    await client.query('delete from safekeep.erasure_plans where tenant_id = $1 and plan_hash = $2', [tenant, plan.hash]);
  await client.query(
    `insert into safekeep.erasure_plans (tenant_id, plan_hash, subject_type, subject_key, mode, counts, planned_by, planned_at, due_at,
       planned_proof, holds)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict (tenant_id, plan_hash) do nothing`,
    [
      tenant,
      plan.hash,
      plan.type,
      plan.key,
      plan.mode,
      JSON.stringify(plan.counts),
      plan.plannedBy,
      plan.plannedAt,
      plan.due,
      json(plan.proof),
      plan.holds,
    ],
  );
}

export async function findPlan(client: pg.ClientBase, tenant: string, hash: string): Promise<StoredPlan | undefined> {
  const { rows } = await client.query<StoredPlan>(
    `select plan_hash as hash, subject_type as type, subject_key as key, mode, counts, planned_by as "plannedBy", planned_at as "plannedAt",
            due_at as due, planned_proof as proof, holds
       from safekeep.erasure_plans where tenant_id = $1 and plan_hash = $2`,
    [tenant, hash],
  );
  return rows[0];
}

/** They name the person. */
export async function dropPlans(
  client: pg.ClientBase,
  tenant: string,
  { type, key }: { readonly type: string; readonly key: string },
): Promise<void> {
  await client.query('delete from safekeep.erasure_plans where tenant_id = $1 and subject_type = $2 and subject_key = $3', [
    tenant,
    type,
    key,
  ]);
}

export type ErasureState = 'running' | 'committed' | 'held' | 'due' | 'outside' | 'kept' | 'done' | 'unfulfilled';

export type ErasureRecord = {
  readonly id: ErasureId;
  readonly planHash: string;
  readonly state: ErasureState;
  readonly mode: ErasureMode;
  readonly type: string;
  readonly key: string | null;
  readonly mark: string;
  readonly holds: readonly string[];
  readonly progress: unknown;
  readonly certificate: unknown;
  readonly plannedBy: string;
  readonly approvedBy: string;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
  /** From when on the first row that a duty keeps need not be kept. */
  readonly due: Date | null;
  /** A duty keeps a row whose date nobody has filled in yet. */
  readonly isUndated: boolean;
  /** By the key of the ledger: record-tag.ts. Null in what was written before there were any. */
  readonly tag: string | null;
};

const COLUMNS = `erasure_id as id, plan_hash as "planHash", state, mode, subject_type as type, subject_key as key, subject_mark as mark, holds,
  progress, certificate, planned_by as "plannedBy", approved_by as "approvedBy", started_at as "startedAt", finished_at as "finishedAt",
  due_at as due, is_undated as "isUndated", tag`;

export async function insertErasure(client: pg.ClientBase, tenant: string, record: ErasureRecord): Promise<void> {
  await client.query(
    `insert into safekeep.erasures (tenant_id, erasure_id, plan_hash, state, mode, subject_type, subject_key, subject_mark, holds, progress,
       certificate, planned_by, approved_by, started_at, finished_at, due_at, is_undated, tag)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
    [
      tenant,
      record.id,
      record.planHash,
      record.state,
      record.mode,
      record.type,
      record.key,
      record.mark,
      record.holds,
      json(record.progress),
      json(record.certificate),
      record.plannedBy,
      record.approvedBy,
      record.startedAt,
      record.finishedAt,
      record.due,
      record.isUndated,
      record.tag,
    ],
  );
}

function json(value: unknown): string | null {
  return value === null || value === undefined ? null : JSON.stringify(value);
}

/** Only what is given is changed. `done` takes the key of the person away; of what is unfulfilled somebody has to make a new plan. */
export async function updateErasure(
  client: pg.ClientBase,
  tenant: string,
  id: ErasureId,
  change: {
    readonly state: ErasureState;
    readonly planHash?: string;
    readonly plannedBy?: string;
    readonly approvedBy?: string;
    readonly progress?: unknown;
    readonly certificate?: unknown;
    readonly holds?: readonly string[];
    readonly finishedAt?: Date;
    readonly due?: Date | null;
    readonly isUndated?: boolean;
    /** Where any of what it is made over changes. */
    readonly tag?: string;
  },
): Promise<void> {
  await client.query(
    `update safekeep.erasures
        set state = $3,
            subject_key = case when $3 = 'done' then null else subject_key end,
            progress = case when $4::boolean then $5::jsonb else progress end,
            certificate = coalesce($6::jsonb, certificate), holds = coalesce($7::uuid[], holds), finished_at = coalesce($8, finished_at),
            plan_hash = coalesce($9, plan_hash), planned_by = coalesce($12, planned_by), approved_by = coalesce($13, approved_by),
            due_at = case when $10::boolean then $11::timestamptz else due_at end,
            is_undated = coalesce($14::boolean, is_undated), tag = coalesce($15::text, tag)
      where tenant_id = $1 and erasure_id = $2`,
    [
      tenant,
      id,
      change.state,
      'progress' in change,
      json(change.progress),
      json(change.certificate),
      change.holds ?? null,
      change.finishedAt ?? null,
      change.planHash ?? null,
      'due' in change,
      change.due ?? null,
      change.plannedBy ?? null,
      change.approvedBy ?? null,
      change.isUndated ?? null,
      change.tag ?? null,
    ],
  );
}

/** A page at most, newest first. */
const ERASURES_AT_MOST = 1000;

export async function readErasures(
  db: Queryable,
  tenant: string,
  filter: {
    readonly open?: boolean;
    readonly running?: true;
    readonly id?: string;
    readonly mark?: string;
    readonly before?: string | undefined;
  } = {},
): Promise<readonly ErasureRecord[]> {
  const { rows } = await db.query(
    `select ${COLUMNS} from safekeep.erasures
      where tenant_id = $1 and ($2::boolean is null or (subject_key is not null) = $2) and ($3::uuid is null or erasure_id = $3)
        and ($4::text is null or subject_mark = $4) and ($5::boolean is null or state not in ('kept', 'unfulfilled'))
        and ($6::uuid is null or erasure_id < $6)
      order by erasure_id desc limit ${ERASURES_AT_MOST}`,
    [tenant, filter.open ?? null, filter.id ?? null, filter.mark ?? null, filter.running ?? null, filter.before ?? null],
  );
  // The statement above names these columns; their types are those of the migration.
  return rows as readonly ErasureRecord[];
}

/** Those of which something is to be done without being asked, page by page: one that is long held must not be behind a thousand others for ever. */
export async function readGoingOn(db: Queryable, tenant: string): Promise<readonly ErasureRecord[]> {
  const all: ErasureRecord[] = [];
  for await (const page of erasurePages((before) => readErasures(db, tenant, { open: true, running: true, before })))
    all.push(...page);
  return all;
}

/** All that `read` finds, page by page, newest first. */
export async function* erasurePages(
  read: (before: string | undefined) => Promise<readonly ErasureRecord[]>,
): AsyncGenerator<readonly ErasureRecord[]> {
  for (let before: string | undefined; ;) {
    const page = await read(before);
    yield page;
    before = page.at(-1)?.id;
    if (page.length < ERASURES_AT_MOST) return;
  }
}

/** States in which an erasure has dealt with all that no hold and no duty keeps: those that a duty goes on in. */
const SETTLED = `('kept', 'held', 'outside', 'unfulfilled')`;

/** Persons of whom a duty has ended by now, by one erasure each, the longest overdue first. */
export async function readDue(
  db: Queryable,
  tenant: string,
  { now, atMost }: { readonly now: Date; readonly atMost: number },
): Promise<readonly ErasureRecord[]> {
  const { rows } = await db.query(
    `select ${COLUMNS} from (
       select distinct on (subject_mark) * from safekeep.erasures
        where tenant_id = $1 and due_at <= $2 and subject_key is not null and state in ${SETTLED}
        order by subject_mark, due_at, erasure_id) as first
      order by due_at, erasure_id limit $3`,
    [tenant, now, atMost],
  );
  // As above.
  return rows as readonly ErasureRecord[];
}

/** Of how many persons one is due by now, when the next one will be, and of how many nobody knows the day of a duty. */
export async function countDue(
  db: Queryable,
  tenant: string,
  now: Date,
): Promise<{ readonly due: number; readonly next: Date | null; readonly undated: number }> {
  const { rows } = await db.query(
    `select count(distinct subject_mark) filter (where due_at <= $2)::integer as due, min(due_at) filter (where due_at > $2) as next,
            count(distinct subject_mark) filter (where is_undated)::integer as undated
       from safekeep.erasures
      where tenant_id = $1 and (due_at is not null or is_undated) and subject_key is not null and state in ${SETTLED}`,
    [tenant, now],
  );
  // The statement above names these columns.
  const [counted] = rows as readonly { readonly due: number; readonly next: Date | null; readonly undated: number }[];
  return { due: counted?.due ?? 0, next: counted?.next ?? null, undated: counted?.undated ?? 0 };
}

/** A page of the erasures of which a duty had no day yet, by id. */
export async function readUndated(
  db: Queryable,
  tenant: string,
  { after, atMost }: { readonly after: string | null; readonly atMost: number },
): Promise<readonly ErasureRecord[]> {
  const { rows } = await db.query(
    `select ${COLUMNS} from safekeep.erasures
      where tenant_id = $1 and is_undated and subject_key is not null and state in ${SETTLED} and ($2::uuid is null or erasure_id > $2)
      order by erasure_id limit $3`,
    [tenant, after, atMost],
  );
  // As above.
  return rows as readonly ErasureRecord[];
}

/** What is known of the day of a duty by now. Where it never comes nothing is left to be done. */
export async function dateErasure(
  client: pg.ClientBase,
  tenant: string,
  { id, due, isUndated }: Pick<ErasureRecord, 'id' | 'due' | 'isUndated'>,
): Promise<void> {
  await client.query(
    `update safekeep.erasures set due_at = $3, is_undated = $4,
            state = case when state = 'kept' and $3::timestamptz is null and not $4 then 'done' else state end,
            subject_key = case when state = 'kept' and $3::timestamptz is null and not $4 then null else subject_key end
      where tenant_id = $1 and erasure_id = $2 and subject_key is not null`,
    [tenant, id, due, isUndated],
  );
}

/**
 * When an erasure has come to its end: what earlier ones of the person had left was dealt with by this one, which had all of it in its plan.
 * One of which places outside were still to be told goes on with that alone. What a hold had put off is part of it too.
 */
export async function endEarlier(
  client: pg.ClientBase,
  tenant: string,
  { id, mark, at }: { readonly id: ErasureId; readonly mark: string; readonly at: Date },
): Promise<void> {
  await client.query(
    `update safekeep.erasures
        set state = case when state in ('kept', 'held', 'due') then 'done' else state end,
            subject_key = case when state = 'outside' then subject_key end,
            due_at = case when state = 'outside' then null else due_at end,
            is_undated = false, finished_at = case when state = 'outside' then finished_at else coalesce(finished_at, $4) end
      where tenant_id = $1 and subject_mark = $2 and erasure_id < $3 and subject_key is not null
        and (state in ('kept', 'outside', 'unfulfilled')
             or (progress is null and (state = 'due' or (state = 'held' and certificate is not null))))`,
    [tenant, mark, id, at],
  );
}

/** Somebody has decided that nothing of what it left is to be erased. False: it is not open any more. */
export async function endByDecision(
  client: pg.ClientBase,
  tenant: string,
  { id, decision, at }: { readonly id: ErasureId; readonly decision: Decision & { readonly because: string }; readonly at: Date },
): Promise<boolean> {
  const { rowCount } = await client.query(
    `update safekeep.erasures
        set state = 'done', subject_key = null, due_at = null, is_undated = false, decision = $3, finished_at = coalesce(finished_at, $4)
      where tenant_id = $1 and erasure_id = $2 and subject_key is not null`,
    [tenant, id, JSON.stringify(decision), at],
  );
  return (rowCount ?? 0) > 0;
}

/** Who ended an erasure without erasing what was left; signed where approvers have keys. */
export type Decision = { readonly by: string; readonly at: string; readonly proof: ApprovalProof | null };

/** Of all erasures that were ended so. */
export async function readDecisions(db: Queryable, tenant: string): Promise<ReadonlyMap<string, Decision>> {
  const { rows } = await db.query(
    'select erasure_id as id, decision from safekeep.erasures where tenant_id = $1 and decision is not null',
    [tenant],
  );
  // The statement above names these columns; `endByDecision` writes what stands there.
  const decided = rows as readonly { readonly id: string; readonly decision: Decision }[];
  return new Map(decided.map(({ id, decision }) => [id, decision]));
}

/** In the transaction of a release: what that hold had stopped is to be done again. */
export async function markDue(client: pg.ClientBase, tenant: string, hold: string): Promise<number> {
  const { rowCount } = await client.query(
    `update safekeep.erasures set state = 'due' where tenant_id = $1 and state = 'held' and $2 = any (holds)`,
    [tenant, hold],
  );
  return rowCount ?? 0;
}

// ---- places outside --------------------------------------------------------------------------------------------------------

export type CallRecord = {
  readonly place: string;
  readonly state: 'pending' | 'done' | 'by-hand';
  readonly tries: number;
  readonly lastError: string | null;
};

export async function insertCalls(
  client: pg.ClientBase,
  tenant: string,
  { erasure, calls }: { readonly erasure: ErasureId; readonly calls: readonly Pick<CallRecord, 'place' | 'state'>[] },
): Promise<void> {
  if (calls.length === 0) return;
  await client.query(
    `insert into safekeep.erasure_calls (tenant_id, erasure_id, place, state, tries)
     select $1, $2, call.place, call.state, 0 from unnest($3::text[], $4::text[]) as call (place, state)
     on conflict (tenant_id, erasure_id, place) do nothing`,
    [tenant, erasure, calls.map(({ place }) => place), calls.map(({ state }) => state)],
  );
}

export async function readCalls(db: Queryable, tenant: string, erasure: ErasureId): Promise<readonly CallRecord[]> {
  const { rows } = await db.query(
    `select place, state, tries, last_error as "lastError" from safekeep.erasure_calls where tenant_id = $1 and erasure_id = $2 order by place`,
    [tenant, erasure],
  );
  // The statement above names these columns.
  return rows as readonly CallRecord[];
}

export async function noteCall(
  client: pg.ClientBase,
  tenant: string,
  call: {
    readonly erasure: ErasureId;
    readonly place: string;
    readonly state: CallRecord['state'];
    readonly error: string | null;
    readonly at: Date;
  },
): Promise<void> {
  await client.query(
    `update safekeep.erasure_calls set state = $4, tries = tries + 1, last_tried = $5, last_error = $6
      where tenant_id = $1 and erasure_id = $2 and place = $3`,
    [tenant, call.erasure, call.place, call.state, call.at, call.error],
  );
}
