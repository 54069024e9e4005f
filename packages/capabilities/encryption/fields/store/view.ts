import type pg from 'pg';
import { quoteName, quoteTable } from '@safekeep/postgres';
import { isAtLeast } from '../rules/life.ts';
import type { Field } from '../model.ts';
import { viewOf } from './names.ts';
import { listFields } from './records.ts';

export const VIEW_TRIGGER = 'zz_safekeep_write';

/**
 * The table in the clear, for sessions that unlocked the key: plaintext under the column's own name and place, beside the
 * ciphertext and the id of its key. `security_invoker`: row security of the table binds whoever reads the view.
 * `security_barrier`: no function of a reader's sees a row before that. A view that stands is replaced and grows at its end, so that
 * views which read it, its grants and its comments stay; only {@link dropView} comes before where it loses columns.
 */
export async function createView(client: pg.ClientBase, field: Field, kept: readonly string[] = []): Promise<void> {
  const fields = [field, ...(await othersShown(client, field))].toSorted(byAge);
  const view = viewOf(field);
  const byColumn = new Map(fields.map((each) => [each.column, each]));
  const expressions = new Map([
    ...(await columnsOf(client, quoteTable(field.table))).map((column): [string, string] => {
      const sealed = byColumn.get(column);
      return [column, sealed === undefined ? `t.${quoteName(column)}` : opened(sealed)];
    }),
    ...fields.map((each, place): [string, string] => [
      place === 0 ? 'encryption_key_id' : `${each.column}_encryption_key_id`,
      `pg_catalog.encode(pg_catalog.substr(t.${quoteName(each.encryptedColumn)}, 5, 8), 'hex')`,
    ]),
  ]);
  const names = new Set([...(await columnsOf(client, view)), ...expressions.keys()]);
  // The id of a key that left stays as an empty column, since others may read it.
  const shown = [...names].map((name) => `${expressions.get(name) ?? 'null::pg_catalog.text'} as ${quoteName(name)}`);
  await client.query(
    `create or replace view ${view} with (security_invoker = true, security_barrier = true) as select ${shown.join(', ')} from ${quoteTable(field.table)} as t`,
  );
  const specification = fields.map((each) => ({
    id: each.id,
    column: each.column,
    encrypted: each.encryptedColumn,
    type: each.columnType,
  }));
  const given = [field.table.schema, field.table.table, JSON.stringify(specification)].map(
    (each) => `'${each.replaceAll("'", "''")}'`,
  );
  await client.query(
    `create or replace trigger ${VIEW_TRIGGER} instead of insert or update or delete on ${view} for each row execute function safekeep.write_decrypted(${given.join(', ')})`,
  );
  await copyDefaults(client, field);
  await copyGrants(client, field);
  for (const statement of kept) await client.query(statement);
}

/** Fields of the same table that its view opens, beside this one. In the order in which they came: the first one's key keeps its name. */
export async function othersShown(client: pg.ClientBase, field: Field): Promise<readonly Field[]> {
  const fields = (await listFields(client, field.tenant)).filter(
    ({ id, table, mode, phase }) =>
      id !== field.id &&
      mode === 'database' &&
      isAtLeast(phase, 'switched') &&
      table.schema === field.table.schema &&
      table.table === field.table.table,
  );
  return fields.toSorted(byAge);
}

/** Ids are UUIDv7: the order in which they were made. */
function byAge(one: Field, other: Field): number {
  return one.id < other.id ? -1 : 1;
}

/**
 * Before columns go that it shows. Only ours: a view of the user's that has the name stays, and is told of when it is in the way.
 * Answers what gives the next one, which has another name where the table got one, the rights and the comment that this one had.
 */
export async function dropView(
  client: pg.ClientBase,
  field: Pick<Field, 'table'>,
  next: Pick<Field, 'table'> = field,
): Promise<readonly string[]> {
  const view = viewOf(field);
  const { rows } = await client.query<{ statements: readonly string[] }>(
    `select array(select pg_catalog.format('grant %s on %s to %s%s', a.privilege_type, $3::text,
                           case when a.grantee = 0 then 'public' else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) end,
                           case when a.is_grantable then ' with grant option' else '' end)
                    from pg_catalog.aclexplode(c.relacl) a where a.grantee <> c.relowner
                   union all
                  select pg_catalog.format('comment on view %s is %L', $3::text, d.description)
                    from pg_catalog.pg_description d where d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objoid = c.oid and d.objsubid = 0) as statements
       from pg_catalog.pg_trigger t join pg_catalog.pg_class c on c.oid = t.tgrelid
      where t.tgrelid = pg_catalog.to_regclass($1) and t.tgname = $2`,
    [view, VIEW_TRIGGER, viewOf(next)],
  );
  const [own] = rows;
  if (own === undefined) return [];
  await client.query(`drop view ${view}`);
  return own.statements;
}

/** Views and others that read the view, and would go with it. */
export async function readersOfView(client: pg.ClientBase, field: Pick<Field, 'table'>): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select distinct pg_catalog.format('%I.%I', n.nspname, c.relname) as name
       from pg_catalog.pg_depend d
       join pg_catalog.pg_rewrite r on d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and r.oid = d.objid
       join pg_catalog.pg_class c on c.oid = r.ev_class
       join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = pg_catalog.to_regclass($1) and c.oid <> d.refobjid
      order by 1 limit 100`,
    [viewOf(field)],
  );
  return rows.map(({ name }) => name);
}

/** Plaintext that is still there beside no ciphertext was written without a key, and is what counts. */
function opened({ id, column, encryptedColumn, columnType }: Field): string {
  return `case when t.${quoteName(encryptedColumn)} is null then t.${quoteName(column)} else safekeep.open_column(t.${quoteName(encryptedColumn)}, '${id}')::${columnType} end`;
}

/** None of a relation that is not there. */
async function columnsOf(client: pg.ClientBase, relation: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select a.attname as name from pg_catalog.pg_attribute a
      where a.attrelid = pg_catalog.to_regclass($1) and a.attnum > 0 and not a.attisdropped order by a.attnum`,
    [relation],
  );
  return rows.map(({ name }) => name);
}

/** An INSERT into a view takes the view's defaults, so that RETURNING shows the number that a row was given. */
async function copyDefaults(client: pg.ClientBase, field: Pick<Field, 'table'>): Promise<void> {
  const { rows } = await client.query<{ name: string; expression: string }>(
    `select a.attname as name, pg_catalog.pg_get_expr(d.adbin, d.adrelid) as expression
       from pg_catalog.pg_attrdef d join pg_catalog.pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
      where d.adrelid = pg_catalog.to_regclass($1) and a.attgenerated = ''`,
    [quoteTable(field.table)],
  );
  for (const { name, expression } of rows)
    await client.query(`alter view ${viewOf(field)} alter column ${quoteName(name)} set default ${expression}`);
}

/** Who may read or write the table may do so through the view; what they see there their unlocked key decides. */
async function copyGrants(client: pg.ClientBase, field: Pick<Field, 'table'>): Promise<void> {
  const { rows } = await client.query<{ statement: string }>(
    `select pg_catalog.format('grant %s on %s to %s', a.privilege_type, $2::text,
              case when a.grantee = 0 then 'public' else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) end) as statement
       from pg_catalog.pg_class c, lateral pg_catalog.aclexplode(c.relacl) a
      where c.oid = pg_catalog.to_regclass($1) and a.grantee <> c.relowner and a.privilege_type in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')`,
    [quoteTable(field.table), viewOf(field)],
  );
  for (const { statement } of rows) await client.query(statement);
}
