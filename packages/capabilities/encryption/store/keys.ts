import type pg from 'pg';
import { newId } from '@safekeep/core';
import type { Queryable } from '@safekeep/postgres';
import type { Algorithm, Fate, KeyPurpose, KeyState, StoredKey } from '../model.ts';
import type { ExportedKey } from '../rules/key-line.ts';
import type { KeyStanding } from '../rules/retired.ts';

// With several arguments `unnest` is syntax and not a function that a search path could find elsewhere: it stands without a schema.

/** As many as the functions of the database answer at once. */
export const KEYS_AT_ONCE = 20_000;

type KeyRow = {
  readonly key_id: Buffer;
  readonly key_purpose: KeyPurpose;
  readonly scope: string | null;
  readonly owner_mark: Buffer | null;
  readonly fate: Fate | null;
  readonly version: number;
  readonly state: KeyState;
  readonly epoch: number;
  readonly wrapped: Buffer | null;
  readonly usage_count: string;
};

const WHOLE_KEY = 'key_id, key_purpose, scope, owner_mark, fate, version, state, epoch, wrapped, usage_count';

function keyOf(tenant: string, row: KeyRow): StoredKey {
  const { key_id, key_purpose, scope, owner_mark, fate, version, state, epoch, wrapped, usage_count } = row;
  return {
    tenant,
    keyId: key_id,
    purpose: key_purpose,
    scope,
    mark: owner_mark,
    fate,
    version,
    state,
    epoch,
    wrapped,
    usageCount: Number(usage_count),
  };
}

/** The key that counts of each of these owners; those that have none are missing. */
export async function readKeysOf(db: Queryable, tenant: string, marks: readonly Buffer[]): Promise<readonly StoredKey[]> {
  const { rows } = await db.query(
    `select owner_mark, key_id, fate, version, state, epoch, wrapped, usage_count from safekeep.keys_of_owners($1, $2)`,
    [tenant, marks],
  );
  // The statement names these columns; the rest is the same for all of them.
  return (rows as readonly Omit<KeyRow, 'key_purpose' | 'scope'>[]).map((row) =>
    keyOf(tenant, { ...row, key_purpose: 'subject', scope: null }),
  );
}

export async function readKeys(db: Queryable, tenant: string, ids: readonly Buffer[]): Promise<readonly StoredKey[]> {
  const { rows } = await db.query(`select ${WHOLE_KEY} from safekeep.keys_by_id($1, $2)`, [tenant, ids]);
  return (rows as readonly KeyRow[]).map((row) => keyOf(tenant, row)); // The statement names these columns.
}

/** Whether this login makes and counts keys of every kind, or is a client, who is answered those of encrypted fields only. */
export async function isClient(db: Queryable): Promise<boolean> {
  const { rows } = await db.query(`select not pg_catalog.has_table_privilege('safekeep.encryption_keys', 'insert') as client`, []);
  return (rows as readonly { readonly client: boolean }[])[0]?.client === true; // The statement names this column.
}

/** All versions of the key of an encrypted field, newest first; none of a scope that is no field's. */
export async function readFieldKeys(
  db: Queryable,
  tenant: string,
  { purpose, scope }: { readonly purpose: 'data' | 'index'; readonly scope: string },
): Promise<readonly StoredKey[]> {
  const { rows } = await db.query(`select ${WHOLE_KEY} from safekeep.field_keys($1, $2, $3)`, [tenant, purpose, scope]);
  return (rows as readonly KeyRow[]).map((row) => keyOf(tenant, row)); // The statement names these columns.
}

/** {@link readKeys} for a client. */
export async function readFieldKeysById(db: Queryable, tenant: string, ids: readonly Buffer[]): Promise<readonly StoredKey[]> {
  const { rows } = await db.query(`select ${WHOLE_KEY} from safekeep.field_keys_by_id($1, $2)`, [tenant, ids]);
  return (rows as readonly KeyRow[]).map((row) => keyOf(tenant, row)); // The statement names these columns.
}

/** What `count_field_key_uses` counts of a key in one call at most. */
const USES_IN_A_CALL = 2 ** 24;

/** {@link addUsage} for a client, with its line in the log. More than one call counts goes into several. */
export async function addFieldUsage(
  db: Queryable,
  tenant: string,
  counts: readonly { readonly keyId: Buffer; readonly uses: number }[],
): Promise<void> {
  let left = counts;
  while (left.length > 0) {
    await db.query('select safekeep.count_field_key_uses($1, $2, $3, $4)', [
      tenant,
      newId<'key-log'>(),
      left.map(({ keyId }) => keyId),
      left.map(({ uses }) => Math.min(uses, USES_IN_A_CALL)),
    ]);
    left = left.map(({ keyId, uses }) => ({ keyId, uses: uses - USES_IN_A_CALL })).filter(({ uses }) => uses > 0);
  }
}

/** Ids of all versions of a scope, newest first. */
export async function readScope(
  db: Queryable,
  tenant: string,
  { purpose, scope }: { readonly purpose: KeyPurpose; readonly scope: string },
): Promise<readonly { readonly keyId: Buffer; readonly version: number; readonly state: KeyState }[]> {
  const { rows } = await db.query(
    `select key_id, version, state from safekeep.encryption_keys where tenant_id = $1 and key_purpose = $2 and scope = $3 order by version desc`,
    [tenant, purpose, scope],
  );
  // The statement names these columns.
  return (rows as readonly Pick<KeyRow, 'key_id' | 'version' | 'state'>[]).map(({ key_id, ...rest }) => ({
    keyId: key_id,
    ...rest,
  }));
}

/**
 * What the records of encrypted columns say of a scope: `field.UUID` and `field.UUID.index.2` stay a column's when it is encrypted no
 * more. The first index key is made with a column, whether or not an index stands yet.
 */
export async function fieldOfScope(db: Queryable, tenant: string, scope: string | null): Promise<KeyStanding> {
  const { rows } = await db.query(
    `select coalesce($2 ~ '^field\\.[0-9a-f-]{36}(\\.index\\.[0-9]+)?$', false) or exists (
              select from safekeep.fields as f where f.tenant_id = $1 and f.key_scope = $2) as "isOfField",
            exists (select from safekeep.fields as f
                     where f.tenant_id = $1 and f.key_scope = pg_catalog.regexp_replace($2, '\\.index\\.[0-9]+$', '')) as stands,
            exists (select from safekeep.fields as f left join safekeep.field_indexes as i using (tenant_id, field_id)
                     where f.tenant_id = $1
                       and (f.key_scope = $2 or f.key_scope || '.index.' || i.version = $2)) as "isIndexed"`,
    [tenant, scope],
  );
  const [standing] = rows as readonly KeyStanding[]; // The statement names these columns.
  if (standing === undefined) throw new Error('A select of one row answers one row');
  return standing;
}

export type NewKey = Omit<StoredKey, 'usageCount'> & {
  readonly wrapped: Buffer;
  readonly algorithm: Algorithm;
  readonly expiresAt: Date | null;
};

type WrittenKey = Omit<ExportedKey, 'createdAt' | 'expiresAt' | 'destroyedAt'> & Pick<NewKey | ExportedKey, 'expiresAt'>;

/** The columns of a key that is written down, and an array of each as parameters of `unnest`. */
const WRITTEN = 'key_id, key_purpose, scope, owner_mark, fate, algorithm, version, state, epoch, wrapped, expires_at';

function byColumn(keys: readonly WrittenKey[]): readonly unknown[] {
  return [
    keys.map(({ keyId }) => keyId),
    keys.map(({ purpose }) => purpose),
    keys.map(({ scope }) => scope),
    keys.map(({ mark }) => mark),
    keys.map(({ fate }) => fate),
    keys.map(({ algorithm }) => algorithm),
    keys.map(({ version }) => version),
    keys.map(({ state }) => state),
    keys.map(({ epoch }) => epoch),
    keys.map(({ wrapped }) => wrapped),
    keys.map(({ expiresAt }) => expiresAt),
  ];
}

/** Inserts those that nobody else has made meanwhile; how many. */
export async function insertKeys(db: Queryable, tenant: string, keys: readonly NewKey[], at: Date): Promise<number> {
  const { rows } = await db.query(
    `insert into safekeep.encryption_keys (tenant_id, created_at, ${WRITTEN})
     select $1, $2, * from unnest($3::bytea[], $4::text[], $5::text[], $6::bytea[], $7::text[], $8::text[], $9::integer[], $10::text[],
              $11::integer[], $12::bytea[], $13::timestamptz[])
     on conflict do nothing returning 1`,
    [tenant, at, ...byColumn(keys)],
  );
  return rows.length;
}

/** Keeps a key that was destroyed from ever being made. */
export async function insertTombstones(
  db: Queryable,
  tenant: string,
  {
    keys,
    epoch,
    at,
  }: {
    readonly keys: readonly { readonly keyId: Buffer; readonly mark: Buffer; readonly fate: Fate }[];
    readonly epoch: number;
    readonly at: Date;
  },
): Promise<void> {
  await db.query(
    `insert into safekeep.encryption_keys
       (tenant_id, key_id, key_purpose, owner_mark, fate, algorithm, version, state, epoch, created_at, destroyed_at)
     select $1, k.key_id, 'subject', k.owner_mark, k.fate, 'AES-256-GCM', 1, 'shredded', $2, $3, $3
       from unnest($4::bytea[], $5::bytea[], $6::text[]) as k (key_id, owner_mark, fate)
     on conflict do nothing`,
    [tenant, epoch, at, keys.map(({ keyId }) => keyId), keys.map(({ mark }) => mark), keys.map(({ fate }) => fate)],
  );
}

/** From here on nobody rotates or destroys them until the transaction ends. */
export async function lockOwners(db: Queryable, tenant: string, marks: readonly Buffer[]): Promise<void> {
  await db.query(
    'select key_id from safekeep.encryption_keys where tenant_id = $1 and owner_mark = any($2::bytea[]) order by key_id for update',
    [tenant, marks],
  );
}

export type DestroyedKey = { readonly keyId: Buffer; readonly epoch: number };

/** Overwrites every version with nothing. A statement of its own after the lock: it sees versions that were made meanwhile. */
export async function shredOwners(
  db: Queryable,
  tenant: string,
  marks: readonly Buffer[],
  at: Date,
): Promise<readonly DestroyedKey[]> {
  const { rows } = await db.query(
    `update safekeep.encryption_keys set state = 'shredded', wrapped = null, destroyed_at = $3
      where tenant_id = $1 and owner_mark = any($2::bytea[]) and state <> 'shredded' returning key_id as "keyId", epoch`,
    [tenant, marks, at],
  );
  return rows as readonly DestroyedKey[]; // The statement names these columns.
}

export async function shredKeys(db: Queryable, tenant: string, ids: readonly Buffer[], at: Date): Promise<readonly DestroyedKey[]> {
  const { rows } = await db.query(
    `update safekeep.encryption_keys set state = 'shredded', wrapped = null, destroyed_at = $3
      where tenant_id = $1 and key_id = any($2::bytea[]) and state <> 'shredded' returning key_id as "keyId", epoch`,
    [tenant, ids, at],
  );
  return rows as readonly DestroyedKey[]; // The statement names these columns.
}

export type OwnedKey = {
  readonly keyId: Buffer;
  readonly mark: Buffer;
  readonly version: number;
  readonly state: KeyState;
  readonly epoch: number;
};

/** Where every version of these owners stands, oldest first. */
export async function readOwned(db: Queryable, tenant: string, marks: readonly Buffer[]): Promise<readonly OwnedKey[]> {
  const { rows } = await db.query(
    `select key_id, owner_mark, version, state, epoch from safekeep.encryption_keys where tenant_id = $1 and owner_mark = any($2::bytea[]) order by version`,
    [tenant, marks],
  );
  // The statement names these columns.
  return (rows as readonly (Pick<KeyRow, 'key_id' | 'version' | 'state' | 'epoch'> & { readonly owner_mark: Buffer })[]).map(
    (row) => ({
      keyId: row.key_id,
      mark: row.owner_mark,
      version: row.version,
      state: row.state,
      epoch: row.epoch,
    }),
  );
}

/** Changes the state of those that stand in one of `from`. */
export async function setState(
  db: Queryable,
  tenant: string,
  { ids, from, to }: { readonly ids: readonly Buffer[]; readonly from: readonly KeyState[]; readonly to: KeyState },
): Promise<number> {
  const { rows } = await db.query(
    'update safekeep.encryption_keys set state = $3 where tenant_id = $1 and key_id = any($2::bytea[]) and state = any($4::text[]) returning 1',
    [tenant, ids, to, from],
  );
  return rows.length;
}

/**
 * Keys as they are at one moment, in batches of lines as `parseKeyLine` reads them: the living ones under an epoch, or all. In the
 * order they lie in. One at a time in a transaction, which has to last until the last batch.
 */
export async function* linesOfKeys(
  client: pg.ClientBase,
  tenant: string,
  { under, batch }: { readonly under: number | null; readonly batch: number },
): AsyncGenerator<readonly string[]> {
  await client.query('select safekeep.open_keys($1, $2)', [tenant, under]);
  const text = `fetch forward ${Math.trunc(batch)} from safekeep_keys`;
  const fetch = async (): Promise<readonly string[]> => {
    const { rows } = await client.query<[string]>({ text, rowMode: 'array' });
    return rows.map(([line]) => line);
  };
  // The server prepares the next ones while these are worked on.
  for (let next: Promise<readonly string[]> | undefined = fetch(); next !== undefined;) {
    const lines: readonly string[] = await next;
    next = lines.length < batch ? undefined : fetch();
    // Told by the await of the next round; nobody waits for it when the reader has stopped.
    next?.catch(() => undefined);
    if (lines.length > 0) yield lines;
  }
  await client.query('close safekeep_keys');
}

/** Only where the key is still as it was read: one that was destroyed meanwhile stays destroyed. `wrapped`: 48 bytes each. */
export async function rewrap(
  client: pg.ClientBase,
  tenant: string,
  {
    keyIds,
    wrapped,
    from,
    to,
  }: { readonly keyIds: readonly Buffer[]; readonly wrapped: Buffer; readonly from: number; readonly to: number },
): Promise<number> {
  // By index, page for page: reading the whole table for each page would take longer with each of them.
  await client.query('set local enable_seqscan = off; set local enable_hashjoin = off; set local enable_mergejoin = off');
  // As one string of bytes each: arrays of thousands of them take longer to write and to read than the update itself. The epoch
  // comes with each of them: against a constant that old statistics hold for rare, the whole table would be read for each key.
  const { rowCount } = await client.query(
    `update safekeep.encryption_keys as k set epoch = $3, wrapped = n.wrapped
       from (select pg_catalog.substr($4::bytea, number * 8 + 1, 8) as key_id, pg_catalog.substr($5::bytea, number * 48 + 1, 48) as wrapped,
                    $2::integer + 0 * number as epoch
               from pg_catalog.generate_series(0, $6::integer - 1) as number) as n
      where k.tenant_id = $1 and k.key_id = n.key_id and k.epoch = n.epoch and k.state <> 'shredded'`,
    [tenant, from, to, Buffer.concat(keyIds), wrapped, keyIds.length],
  );
  return rowCount ?? 0;
}

export async function addUsage(
  db: Queryable,
  tenant: string,
  { counts, at }: { readonly counts: readonly { readonly keyId: Buffer; readonly uses: number }[]; readonly at: Date },
): Promise<void> {
  await db.query(
    `update safekeep.encryption_keys as k set usage_count = k.usage_count + n.uses, last_used_at = $2
       from unnest($3::bytea[], $4::bigint[]) as n (key_id, uses) where k.tenant_id = $1 and k.key_id = n.key_id`,
    [tenant, at, counts.map(({ keyId }) => keyId), counts.map(({ uses }) => uses)],
  );
}

export type ListedKey = {
  readonly keyId: Buffer;
  readonly purpose: KeyPurpose;
  readonly scope: string | null;
  /** SCHEMA.TABLE.COLUMN, quoted where needed. */
  readonly columns: readonly string[];
  readonly fate: Fate | null;
  readonly algorithm: Algorithm;
  readonly version: number;
  readonly state: KeyState;
  readonly epoch: number;
  readonly uses: number;
  readonly lastUsedAt: Date | null;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly destroyedAt: Date | null;
};

type ListedRow = Omit<ListedKey, 'uses'> & { readonly uses: string };

/** By id. */
export async function listKeys(
  db: Queryable,
  tenant: string,
  { after, limit, ids }: { readonly after?: Buffer; readonly limit: number; readonly ids?: readonly Buffer[] },
): Promise<readonly ListedKey[]> {
  const { rows } = await db.query(
    `select key_id as "keyId", key_purpose as purpose, scope, fate, algorithm, version, state, epoch, usage_count as uses,
            last_used_at as "lastUsedAt", created_at as "createdAt", expires_at as "expiresAt", destroyed_at as "destroyedAt",
            array(select format('%I.%I.%I', f.table_schema, f.table_name, f.column_name) from safekeep.fields as f
                   where f.tenant_id = k.tenant_id and k.scope in (f.key_scope, 'field.' || f.field_id) order by 1) as columns
       from safekeep.encryption_keys as k where tenant_id = $1 and ($2::bytea is null or key_id > $2) and ($4::bytea[] is null or key_id = any($4::bytea[]))
      order by key_id limit $3`,
    [tenant, after ?? null, limit, ids ?? null],
  );
  // The statement names these columns; a bigint comes as text.
  return (rows as readonly ListedRow[]).map((row) => ({ ...row, uses: Number(row.uses) }));
}

/**
 * Brings keys to what an export says. A key that is shredded here or there is shredded: no export brings one back. The state of one
 * that is under the export's epoch already is newer here.
 */
export async function restoreKeys(client: pg.ClientBase, tenant: string, keys: readonly ExportedKey[]): Promise<number> {
  const { rowCount } = await client.query(
    `insert into safekeep.encryption_keys as k (tenant_id, ${WRITTEN}, created_at, destroyed_at)
     select $1, * from unnest($2::bytea[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::text[], $8::integer[], $9::text[],
              $10::integer[], $11::bytea[], $12::timestamptz[], $13::timestamptz[], $14::timestamptz[])
     on conflict (tenant_id, key_id) do update
       set state = case when k.epoch = excluded.epoch and excluded.state <> 'shredded' then k.state else excluded.state end,
           epoch = excluded.epoch, wrapped = excluded.wrapped, destroyed_at = excluded.destroyed_at
     where k.state <> 'shredded' and (k.epoch, k.wrapped) is distinct from (excluded.epoch, excluded.wrapped)`,
    [tenant, ...byColumn(keys), keys.map(({ createdAt }) => createdAt), keys.map(({ destroyedAt }) => destroyedAt)],
  );
  return rowCount ?? 0;
}
