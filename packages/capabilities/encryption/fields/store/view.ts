import type pg from 'pg';
import { isAtLeast } from '../rules/life.ts';
import type { Field } from '../model.ts';
import { q, qualified, viewOf } from './names.ts';
import { listFields } from './records.ts';

export const VIEW_TRIGGER = 'zz_safekeep_write';

/**
 * The table in the clear, for sessions that unlocked the key: plaintext under the column's own name and place, beside the
 * ciphertext and the id of its key. `security_invoker`: row security of the table binds whoever reads the view.
 * `security_barrier`: no function of a reader's sees a row before that.
 */
export async function createView(client: pg.ClientBase, field: Field): Promise<void> {
  const fields = (await listFields(client, field.tenant)).filter(
    ({ id, table, mode, phase }) =>
      table.schema === field.table.schema &&
      table.table === field.table.table &&
      mode === 'database' &&
      (id === field.id || isAtLeast(phase, 'switched')),
  );
  await dropView(client, field);
  const columns = await columnsOf(client, field);
  const byColumn = new Map(fields.map((each) => [each.column, each]));
  const shown = columns.flatMap((column) => {
    const sealed = byColumn.get(column);
    return [sealed === undefined ? `t.${q(column)}` : `${opened(sealed)} as ${q(column)}`];
  });
  const keyIds = fields.map((each, place) => {
    const name = place === 0 ? 'encryption_key_id' : `${each.column}_encryption_key_id`;
    return `pg_catalog.encode(pg_catalog.substr(t.${q(each.encryptedColumn)}, 5, 8), 'hex') as ${q(name)}`;
  });
  const view = viewOf(field);
  await client.query(
    `create view ${view} with (security_invoker = true, security_barrier = true) as select ${[...shown, ...keyIds].join(', ')} from ${qualified(field.table)} as t`,
  );
  const specification = fields.map((each) => ({
    column: each.column,
    encrypted: each.encryptedColumn,
    strict: isAtLeast(each.phase, 'nulled'),
  }));
  const given = [field.table.schema, field.table.table, JSON.stringify(specification)].map(
    (each) => `'${each.replaceAll("'", "''")}'`,
  );
  await client.query(
    `create trigger ${VIEW_TRIGGER} instead of insert or update or delete on ${view} for each row execute function safekeep.write_decrypted(${given.join(', ')})`,
  );
  await copyDefaults(client, field);
  await copyGrants(client, field);
}

/** Only ours: a view of the user's that has the name stays, and is told of when it is in the way. */
export async function dropView(client: pg.ClientBase, field: Pick<Field, 'table'>): Promise<void> {
  const view = viewOf(field);
  const { rows } = await client.query(
    `select from pg_catalog.pg_trigger where tgrelid = pg_catalog.to_regclass($1) and tgname = $2`,
    [view, VIEW_TRIGGER],
  );
  if (rows.length > 0) await client.query(`drop view ${view}`);
}

/** Plaintext that is still there beside no ciphertext was written without a key, and is what counts. */
function opened({ id, column, encryptedColumn, columnType }: Field): string {
  return `case when t.${q(encryptedColumn)} is null then t.${q(column)} else safekeep.open_column(t.${q(encryptedColumn)}, '${id}')::${columnType} end`;
}

async function columnsOf(client: pg.ClientBase, { table }: Pick<Field, 'table'>): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select a.attname as name from pg_catalog.pg_attribute a
      where a.attrelid = pg_catalog.to_regclass($1) and a.attnum > 0 and not a.attisdropped order by a.attnum`,
    [qualified(table)],
  );
  return rows.map(({ name }) => name);
}

/** An INSERT into a view takes the view's defaults, so that RETURNING shows the number that a row was given. */
async function copyDefaults(client: pg.ClientBase, field: Pick<Field, 'table'>): Promise<void> {
  const { rows } = await client.query<{ name: string; expression: string }>(
    `select a.attname as name, pg_catalog.pg_get_expr(d.adbin, d.adrelid) as expression
       from pg_catalog.pg_attrdef d join pg_catalog.pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
      where d.adrelid = pg_catalog.to_regclass($1) and a.attgenerated = ''`,
    [qualified(field.table)],
  );
  for (const { name, expression } of rows)
    await client.query(`alter view ${viewOf(field)} alter column ${q(name)} set default ${expression}`);
}

/** Who may read or write the table may do so through the view; what they see there their unlocked key decides. */
async function copyGrants(client: pg.ClientBase, field: Pick<Field, 'table'>): Promise<void> {
  const { rows } = await client.query<{ statement: string }>(
    `select pg_catalog.format('grant %s on %s to %s', a.privilege_type, $2::text,
              case when a.grantee = 0 then 'public' else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) end) as statement
       from pg_catalog.pg_class c, lateral pg_catalog.aclexplode(c.relacl) a
      where c.oid = pg_catalog.to_regclass($1) and a.grantee <> c.relowner and a.privilege_type in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')`,
    [qualified(field.table), viewOf(field)],
  );
  for (const { statement } of rows) await client.query(statement);
}
