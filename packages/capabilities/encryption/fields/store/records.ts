import type pg from 'pg';
import { formatColumnName, SafekeepError, type TableRef } from '@safekeep/core';
import type { Queryable } from '@safekeep/postgres';
import type { Field, FieldIndex, IndexState } from '../model.ts';
import type { Direction, Phase } from '../rules/life.ts';

type Row = {
  readonly field_id: Field['id'];
  readonly tenant_id: string;
  readonly table_schema: string;
  readonly table_name: string;
  readonly column_name: string;
  readonly encrypted_column: string;
  readonly is_partitioned: boolean;
  readonly value_type: Field['valueType'];
  readonly column_type: string;
  readonly length_limit: number | null;
  readonly is_card: boolean;
  readonly mode: Field['mode'];
  readonly phase: Phase;
  readonly direction: Direction;
  readonly key_scope: string;
  readonly not_null: string | null;
  readonly next_page: string;
  readonly done: string;
  readonly total: string;
  readonly verified: string;
  readonly rows_per_second: number;
  readonly failure: string | null;
  readonly indexes: readonly FieldIndex[];
};

/** Whether it is partitioned the table itself says. */
const COLUMNS = `f.*, exists (
    select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where n.nspname = f.table_schema and c.relname = f.table_name and c.relkind = 'p') as is_partitioned, coalesce((
    select jsonb_agg(jsonb_build_object('kind', i.kind, 'state', i.state, 'column', i.column_name, 'bits', i.bits, 'version', i.version, 'rows', i.row_count,
             'distinct', i.distinct_count, 'attackGain', i.attack_gain, 'parts', coalesce((
               select jsonb_agg(jsonb_build_object('id', p.field_id, 'tenant', p.tenant_id, 'keyScope', p.key_scope, 'valueType', p.value_type,
                        'column', p.column_name, 'encryptedColumn', p.encrypted_column) order by u.place)
                 from pg_catalog.unnest(i.parts) with ordinality as u (id, place)
                 join safekeep.fields p on p.tenant_id = i.tenant_id and p.field_id = u.id), '[]')) order by i.kind, i.version)
      from safekeep.field_indexes i where i.tenant_id = f.tenant_id and i.field_id = f.field_id), '[]') as indexes`;

export async function listFields(client: Queryable, tenant: string): Promise<readonly Field[]> {
  const { rows } = await client.query(
    `select ${COLUMNS} from safekeep.fields f where f.tenant_id = $1 order by f.table_schema, f.table_name, f.column_name`,
    [tenant],
  );
  // The statement names these columns.
  return (rows as readonly Row[]).map(fieldOf);
}

/** Fields that keys were made for, also those that are recorded no more: a key outlives its field. */
export async function idsOfKeys(db: Queryable, tenant: string): Promise<readonly Field['id'][]> {
  const { rows } = await db.query(
    `select distinct pg_catalog.substr(k.scope, 7, 36) as id from safekeep.encryption_keys as k
      where k.tenant_id = $1 and k.scope ~ '^field\\.[0-9a-f-]{36}(\\.|$)'`,
    [tenant],
  );
  // The statement names this column, and takes ids of fields only.
  return (rows as readonly Pick<Field, 'id'>[]).map(({ id }) => id);
}

export async function findField(
  client: pg.ClientBase,
  tenant: string,
  { schema, table, column }: TableRef & { readonly column: string },
): Promise<Field | undefined> {
  const { rows } = await client.query<Row>(
    `select ${COLUMNS} from safekeep.fields f
      where f.tenant_id = $1 and f.table_schema = $2 and f.table_name = $3 and f.column_name = $4`,
    [tenant, schema, table, column],
  );
  return rows[0] === undefined ? undefined : fieldOf(rows[0]);
}

export async function readField(client: pg.ClientBase, { tenant, id }: Pick<Field, 'tenant' | 'id'>): Promise<Field | undefined> {
  const { rows } = await client.query<Row>(`select ${COLUMNS} from safekeep.fields f where f.tenant_id = $1 and f.field_id = $2`, [
    tenant,
    id,
  ]);
  return rows[0] === undefined ? undefined : fieldOf(rows[0]);
}

/** Throws `field-busy` where somebody else has recorded the column since it was planned. */
export async function insertField(client: pg.ClientBase, field: Field, at: Date): Promise<void> {
  const { rowCount } = await client.query(
    `insert into safekeep.fields (tenant_id, field_id, table_schema, table_name, column_name, encrypted_column, value_type, column_type,
       length_limit, is_card, mode, phase, direction, key_scope, not_null, total, created_at, changed_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $17)
     on conflict (tenant_id, table_schema, table_name, column_name) do nothing`,
    [
      field.tenant,
      field.id,
      field.table.schema,
      field.table.table,
      field.column,
      field.encryptedColumn,
      field.valueType,
      field.columnType,
      field.lengthLimit,
      field.isCard,
      field.mode,
      field.phase,
      field.direction,
      field.keyScope,
      field.notNull,
      field.total,
      at,
    ],
  );
  if (rowCount === 0) throw new SafekeepError('field-busy', { field: formatColumnName({ ...field.table, column: field.column }) });
  for (const index of field.indexes) await insertIndex(client, field, { index, at });
}

export async function insertIndex(
  client: pg.ClientBase,
  { tenant, id }: Pick<Field, 'tenant' | 'id'>,
  { index, at }: { readonly index: FieldIndex; readonly at: Date },
): Promise<void> {
  await client.query(
    `insert into safekeep.field_indexes
       (tenant_id, field_id, kind, column_name, bits, row_count, distinct_count, attack_gain, version, state, created_at, changed_at, parts)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12)`,
    [
      tenant,
      id,
      index.kind,
      index.column,
      index.bits,
      index.rows,
      index.distinct,
      index.attackGain,
      index.version,
      index.state,
      at,
      index.parts.length === 0 ? null : index.parts.map((part) => part.id),
    ],
  );
}

type IndexName = Pick<FieldIndex, 'kind' | 'version'>;

export async function setIndexState(
  client: pg.ClientBase,
  { tenant, id }: Pick<Field, 'tenant' | 'id'>,
  { kind, version, state, at }: IndexName & { readonly state: IndexState; readonly at: Date },
): Promise<void> {
  await client.query(
    `update safekeep.field_indexes set state = $5, changed_at = $6
      where tenant_id = $1 and field_id = $2 and kind = $3 and version = $4 and state <> $5`,
    [tenant, id, kind, version, state, at],
  );
}

export async function deleteIndex(
  client: pg.ClientBase,
  { tenant, id }: Pick<Field, 'tenant' | 'id'>,
  { kind, version }: IndexName,
): Promise<void> {
  await client.query('delete from safekeep.field_indexes where tenant_id = $1 and field_id = $2 and kind = $3 and version = $4', [
    tenant,
    id,
    kind,
    version,
  ]);
}

/** Milliseconds since an index came to its state, by the clock that brought it there. */
export async function ageOfIndex(
  client: pg.ClientBase,
  { tenant, id }: Pick<Field, 'tenant' | 'id'>,
  { kind, version, now }: IndexName & { readonly now: Date },
): Promise<number> {
  const { rows } = await client.query<{ at: Date }>(
    'select changed_at as at from safekeep.field_indexes where tenant_id = $1 and field_id = $2 and kind = $3 and version = $4',
    [tenant, id, kind, version],
  );
  return now.getTime() - (rows[0]?.at.getTime() ?? now.getTime());
}

/** What changes about a field in one step; what is left out stays. */
export type Change = {
  readonly phase?: Phase;
  readonly direction?: Direction;
  readonly mode?: Field['mode'];
  readonly nextPage?: number;
  readonly done?: number;
  readonly total?: number;
  readonly verified?: number;
  readonly rowsPerSecond?: number;
  readonly failure?: string | null;
};

export async function updateField(
  client: pg.ClientBase,
  { tenant, id }: Pick<Field, 'tenant' | 'id'>,
  { at, ...change }: Change & { readonly at: Date },
): Promise<void> {
  const { rowCount } = await client.query(
    `update safekeep.fields set
       phase = coalesce($3, phase), direction = coalesce($4, direction), mode = coalesce($5, mode), next_page = coalesce($6, next_page),
       done = coalesce($7, done), total = coalesce($8, total), verified = coalesce($9, verified),
       rows_per_second = coalesce($10, rows_per_second), failure = case when $11 then $12 else failure end, changed_at = $13
     where tenant_id = $1 and field_id = $2`,
    [
      tenant,
      id,
      change.phase,
      change.direction,
      change.mode,
      change.nextPage,
      change.done,
      change.total,
      change.verified,
      change.rowsPerSecond,
      change.failure !== undefined,
      change.failure,
      at,
    ],
  );
  // It was taken out by somebody else: what was done in this transaction belongs to nothing any more.
  if (rowCount !== 1) throw new Error('The field is not recorded any more');
}

/** A batch of one column, counted in the transaction that wrote it: after a kill the figures are what was committed. */
export type BatchCount = {
  readonly field: Pick<Field, 'id'>;
  readonly done: number;
  readonly verified: number;
};

type Batch = {
  readonly tenant: string;
  readonly at: Date;
  /** Pages below this one need not be looked at again by the running pass. */
  readonly page?: number;
  readonly rowsPerSecond?: number;
};

/** In one order, whoever counts: two batches of the same columns wait for each other, and never both. */
export async function countBatch(
  client: pg.ClientBase,
  counts: readonly BatchCount[],
  { tenant, at, page = 0, rowsPerSecond }: Batch,
): Promise<void> {
  await client.query(
    `with held as materialized (
       select f.field_id, c.done, c.verified
         from safekeep.fields as f join unnest($2::pg_catalog.uuid[], $3::int8[], $4::int8[]) as c (id, done, verified) on c.id = f.field_id
        where f.tenant_id = $1 order by f.field_id for no key update of f)
     update safekeep.fields as f set done = f.done + h.done, total = greatest(f.total, f.done + h.done), verified = f.verified + h.verified,
            next_page = greatest(f.next_page, $5), rows_per_second = coalesce($6, f.rows_per_second), changed_at = $7
       from held as h where f.tenant_id = $1 and f.field_id = h.field_id`,
    [
      tenant,
      counts.map(({ field }) => field.id),
      counts.map(({ done }) => done),
      counts.map(({ verified }) => verified),
      page,
      rowsPerSecond,
      at,
    ],
  );
}

export async function deleteField(client: pg.ClientBase, { tenant, id }: Pick<Field, 'tenant' | 'id'>): Promise<void> {
  await client.query('delete from safekeep.fields where tenant_id = $1 and field_id = $2', [tenant, id]);
}

function fieldOf(row: Row): Field {
  return {
    id: row.field_id,
    tenant: row.tenant_id,
    table: { schema: row.table_schema, table: row.table_name },
    column: row.column_name,
    encryptedColumn: row.encrypted_column,
    isPartitioned: row.is_partitioned,
    valueType: row.value_type,
    columnType: row.column_type,
    lengthLimit: row.length_limit,
    isCard: row.is_card,
    mode: row.mode,
    phase: row.phase,
    direction: row.direction,
    keyScope: row.key_scope,
    notNull: row.not_null,
    nextPage: Number(row.next_page),
    done: Number(row.done),
    total: Number(row.total),
    verified: Number(row.verified),
    rowsPerSecond: row.rows_per_second,
    failure: row.failure,
    indexes: row.indexes,
  };
}
