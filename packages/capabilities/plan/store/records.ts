import type pg from 'pg';
import { fingerprintOf, type FingerprintParts } from '@safekeep/postgres';
import type { Applied, AppliedObject, Baseline, KnownColumns } from '../model.ts';

const NOTHING: Applied = { objects: [], columns: new Map(), baseline: null };

/** What was applied by record; nothing where Safekeep's schema does not stand (yet). */
export async function readApplied(client: pg.ClientBase, tenant: string): Promise<Applied> {
  const { rows } = await client.query<{ stands: boolean }>("select to_regclass('safekeep.applied_objects') is not null as stands");
  if (rows[0]?.stands !== true) return NOTHING;
  return {
    objects: await readObjects(client, tenant),
    columns: await readColumns(client, tenant),
    baseline: await readBaseline(client, tenant),
  };
}

type Hashes = Readonly<Record<string, string>>;

async function readObjects(client: pg.ClientBase, tenant: string): Promise<readonly AppliedObject[]> {
  type Row = Omit<AppliedObject, 'probe'> & { readonly probeSql: string; readonly probeKey: readonly string[] };
  const { rows } = await client.query<Row>(
    `select object_id as id, kind, target, definition_sha256 as "definitionSha256", state, probe_sql as "probeSql",
            probe_key as "probeKey", remove_sql as "remove", restores, reversible, runs_in as "runsIn", locks,
            depends_on as "dependsOn"
       from safekeep.applied_objects where tenant_id = $1 order by object_id`,
    [tenant],
  );
  return rows.map(({ probeSql, probeKey, ...object }) => ({ ...object, probe: { sql: probeSql, key: probeKey } }));
}

async function readColumns(client: pg.ClientBase, tenant: string): Promise<KnownColumns> {
  const { rows } = await client.query<{ table: string; names: string[]; types: string[] }>(
    `select table_name as "table", array_agg(column_name order by column_name) as names, array_agg(type order by column_name) as types
       from safekeep.applied_columns where tenant_id = $1 group by table_name order by table_name`,
    [tenant],
  );
  return new Map(rows.map(({ table, names, types }) => [table, new Map(names.map((name, place) => [name, types[place] ?? '']))]));
}

async function readBaseline(client: pg.ClientBase, tenant: string): Promise<Baseline | null> {
  type Row = {
    readonly fingerprint: string;
    readonly parts: Hashes;
    readonly expected: Hashes | null;
    readonly changed: readonly string[];
  };
  const { rows } = await client.query<Row>(
    'select fingerprint, parts, expected, changed from safekeep.apply_baselines where tenant_id = $1',
    [tenant],
  );
  const [row] = rows;
  if (row === undefined) return null;
  const { fingerprint, parts, expected, changed } = row;
  return {
    fingerprint,
    parts: new Map(Object.entries(parts)),
    expected: expected === null ? null : new Map(Object.entries(expected)),
    changed,
  };
}

export type RunOfTenant = { readonly tenant: string; readonly runId: string };

/** An object that a run made, with what its probe read then. */
export async function upsertObjects(
  client: pg.ClientBase,
  run: RunOfTenant,
  made: { readonly at: Date; readonly objects: readonly AppliedObject[] },
): Promise<void> {
  const rows = made.objects.map(({ id, probe, ...object }) => ({
    ...object,
    object_id: id,
    probe_sql: probe.sql,
    probe_key: probe.key,
  }));
  await client.query(
    `insert into safekeep.applied_objects (tenant_id, object_id, run_id, kind, target, definition_sha256, state, probe_sql, probe_key,
                                           remove_sql, restores, reversible, runs_in, locks, depends_on, applied_at)
     select $1, object_id, $2, kind, target, "definitionSha256", state, probe_sql, probe_key, remove, restores, reversible, "runsIn",
            locks, "dependsOn", $3
       from jsonb_to_recordset($4::jsonb) as made (object_id text, kind text, target text, "definitionSha256" text, state text,
            probe_sql text, probe_key jsonb, remove text[], restores boolean, reversible boolean, "runsIn" text, locks jsonb,
            "dependsOn" text[])
     on conflict (tenant_id, object_id) do update set
       run_id = excluded.run_id, kind = excluded.kind, target = excluded.target, definition_sha256 = excluded.definition_sha256,
       state = excluded.state, probe_sql = excluded.probe_sql, probe_key = excluded.probe_key, remove_sql = excluded.remove_sql,
       restores = excluded.restores, reversible = excluded.reversible, runs_in = excluded.runs_in, locks = excluded.locks,
       depends_on = excluded.depends_on, applied_at = excluded.applied_at`,
    [run.tenant, run.runId, made.at, JSON.stringify(rows)],
  );
}

/** Which run made an object that stands by record. */
export async function readRunOf(client: pg.ClientBase, tenant: string, id: string): Promise<string> {
  const { rows } = await client.query<{ runId: string }>(
    'select run_id as "runId" from safekeep.applied_objects where tenant_id = $1 and object_id = $2',
    [tenant, id],
  );
  const [found] = rows;
  if (found === undefined) throw new Error(`${id} is not recorded`);
  return found.runId;
}

export async function deleteObjects(client: pg.ClientBase, tenant: string, ids: readonly string[]): Promise<void> {
  await client.query('delete from safekeep.applied_objects where tenant_id = $1 and object_id = any ($2)', [tenant, ids]);
}

export async function replaceColumns(client: pg.ClientBase, tenant: string, known: KnownColumns): Promise<void> {
  const rows = [...known].flatMap(([table, columns]) =>
    [...columns].map(([column, type]) => ({ table_name: table, column_name: column, type })),
  );
  await client.query('delete from safekeep.applied_columns where tenant_id = $1', [tenant]);
  await client.query(
    `insert into safekeep.applied_columns (tenant_id, table_name, column_name, type)
     select $1, table_name, column_name, type from jsonb_to_recordset($2::jsonb) as known (table_name text, column_name text, type text)`,
    [tenant, JSON.stringify(rows)],
  );
}

export async function insertBaseline(
  client: pg.ClientBase,
  run: RunOfTenant,
  taken: { readonly at: Date; readonly parts: FingerprintParts },
): Promise<void> {
  await client.query(
    'insert into safekeep.apply_baselines (tenant_id, run_id, fingerprint, parts, taken_at) values ($1, $2, $3, $4, $5)',
    [run.tenant, run.runId, fingerprintOf(taken.parts), JSON.stringify(Object.fromEntries(taken.parts)), taken.at],
  );
}

export async function updateBaseline(
  client: pg.ClientBase,
  tenant: string,
  now: { readonly expected: FingerprintParts; readonly changed: readonly string[] },
): Promise<void> {
  await client.query('update safekeep.apply_baselines set expected = $2, changed = $3 where tenant_id = $1', [
    tenant,
    JSON.stringify(Object.fromEntries(now.expected)),
    now.changed,
  ]);
}

/** Nothing stands any more: the next apply is a first one. */
export async function deleteBaseline(client: pg.ClientBase, tenant: string): Promise<void> {
  await client.query('delete from safekeep.apply_baselines where tenant_id = $1', [tenant]);
  await client.query('delete from safekeep.applied_columns where tenant_id = $1', [tenant]);
}
