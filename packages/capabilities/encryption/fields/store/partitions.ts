import type pg from 'pg';
import type { TableRef } from '@safekeep/core';
import { quoteName, quoteTable, type Queryable } from '@safekeep/postgres';
import type { Field } from '../model.ts';
import { objectName, searchIndexName } from './names.ts';
import { indexesToSearch } from './index-definition.ts';

/**
 * The field as each table that has rows of it knows it: itself, or one for each partition that stands now, sub-partitions looked through.
 * Under a lock of the table it stays so; otherwise others may come and go. A partition walks from its first page: only one place is kept.
 */
export async function partsOf(client: pg.ClientBase, field: Field): Promise<readonly Field[]> {
  if (!field.isPartitioned) return [field];
  const { rows } = await client.query<TableRef>(
    `select n.nspname as schema, c.relname as table
       from pg_catalog.pg_partition_tree(pg_catalog.to_regclass($1)) as p
       join pg_catalog.pg_class as c on c.oid = p.relid join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
      where p.isleaf and c.relkind = 'r' order by c.oid`,
    [quoteTable(field.table)],
  );
  return rows.map((table) => ({ ...field, table, isPartitioned: false, nextPage: 0 }));
}

/** A part, and a mark of the triggers of ours that it has: others have another one. */
export type MarkedPart = { readonly part: Field; readonly mark: string };

/**
 * Parts that were without our triggers for a while. Those of a partition are made with the table's, in one transaction, and go when it is
 * detached (manual, CREATE TRIGGER): where they are of another one it came later, or came back, with whatever was written into it apart.
 */
export async function partsThatCameLater(client: pg.ClientBase, field: Field): Promise<readonly MarkedPart[]> {
  if (!field.isPartitioned) return [];
  const { rows } = await client.query<TableRef & { mark: string }>(
    `select n.nspname as schema, c.relname as table, pg_catalog.concat_ws(' ', c.oid, own.oid, own.xmin) as mark
       from pg_catalog.pg_partition_tree(pg_catalog.to_regclass($1)) as p
       join pg_catalog.pg_class as c on c.oid = p.relid join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
       left join pg_catalog.pg_trigger as own on own.tgrelid = c.oid and own.tgname = $2::pg_catalog.name
       left join pg_catalog.pg_trigger as above on above.tgrelid = pg_catalog.to_regclass($1) and above.tgname = $2::pg_catalog.name
      where p.isleaf and c.relkind = 'r' and (own.xmin = above.xmin) is not true order by c.oid`,
    [quoteTable(field.table), objectName('update', field)],
  );
  return rows.map(({ schema, table, mark }) => ({
    part: { ...field, table: { schema, table }, isPartitioned: false, nextPage: 0 },
    mark,
  }));
}

/** Whether a table still is a partition of the field's, however deep. */
export async function isPartOf(client: pg.ClientBase, field: Pick<Field, 'table'>, part: TableRef): Promise<boolean> {
  const { rows } = await client.query<{ is: boolean }>(
    `select exists (select from pg_catalog.pg_partition_tree(pg_catalog.to_regclass($1)) as p where p.relid = pg_catalog.to_regclass($2)) as is`,
    [quoteTable(field.table), quoteTable(part)],
  );
  return rows[0]?.is === true;
}

/** A table apart, and what the column of the ciphertext is called there. */
export type TableApart = TableRef & { readonly encryptedColumn: string };

/**
 * Tables with the check of a field's ciphertext that are not (or no more) part of the field's table: a partition that was detached keeps
 * the check, and a copy by LIKE … INCLUDING ALL has it. No pass over the field comes to their rows. `home` is null where the field is not
 * recorded any more.
 */
export async function tablesApart(
  db: Queryable,
  fields: readonly (Pick<Field, 'id'> & { readonly home: TableRef | null })[],
): Promise<readonly TableApart[]> {
  if (fields.length === 0) return [];
  const { rows } = await db.query(
    `select distinct n.nspname as schema, c.relname as table, a.attname as "encryptedColumn"
       from unnest($1::pg_catalog.text[], $2::pg_catalog.text[]) as f (name, home)
       join pg_catalog.pg_constraint as k on k.conname = f.name::pg_catalog.name and k.contype = 'c'
       join pg_catalog.pg_class as c on c.oid = k.conrelid join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
       join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum = k.conkey[1]
      where c.relkind = 'r' and c.relpersistence <> 't' and c.oid is distinct from pg_catalog.to_regclass(f.home)
        and not exists (select from pg_catalog.pg_partition_tree(pg_catalog.to_regclass(f.home)) as p where p.relid = c.oid)
      order by 1, 2`,
    [fields.map((field) => objectName('sealed', field)), fields.map(({ home }) => (home === null ? null : quoteTable(home)))],
  );
  return rows as readonly TableApart[]; // The statement names these columns.
}

/** Those of a partitioned field that hold a value, sealed or not. */
export async function valuesApart(client: pg.ClientBase, field: Field): Promise<readonly TableApart[]> {
  if (!field.isPartitioned) return [];
  const holding: TableApart[] = [];
  for (const apart of await tablesApart(client, [{ id: field.id, home: field.table }])) {
    const { rows: columns } = await client.query<{ name: string }>(
      `select a.attname as name from pg_catalog.pg_attribute as a
        where a.attrelid = pg_catalog.to_regclass($1) and a.attname = any ($2) and not a.attisdropped`,
      [quoteTable(apart), [apart.encryptedColumn, field.column]],
    );
    const { rows } = await client.query<{ holds: boolean }>(
      `select exists (select from ${quoteTable(apart)} where ${columns.map(({ name }) => `${quoteName(name)} is not null`).join(' or ')}) as holds`,
    );
    if (rows[0]?.holds === true) holding.push(apart);
  }
  return holding;
}

/** Tables that inherit from one that is not partitioned: they take its columns over, not its triggers, and have rows of their own. */
export async function heirsOf(client: pg.ClientBase, { table, isPartitioned }: Field): Promise<readonly TableRef[]> {
  if (isPartitioned) return [];
  const { rows } = await client.query<TableRef>(
    `select n.nspname as schema, c.relname as table
       from pg_catalog.pg_inherits as i join pg_catalog.pg_class as c on c.oid = i.inhrelid join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
      where i.inhparent = pg_catalog.to_regclass($1) order by 1, 2`,
    [quoteTable(table)],
  );
  return rows;
}

/** Whether row security would leave this login some rows of the table only. */
export async function hidesRows(client: pg.ClientBase, { table }: Pick<Field, 'table'>): Promise<boolean> {
  const { rows } = await client.query<{ hides: boolean }>(
    'select pg_catalog.row_security_active(pg_catalog.to_regclass($1)::pg_catalog.oid) as hides',
    [quoteTable(table)],
  );
  return rows[0]?.hides === true;
}

/** A statement that makes an index; `alone` where it allows no transaction around it. */
export type IndexStatement = { readonly sql: string; readonly isAlone: boolean };
/** What makes one index, in order. */
export type IndexSteps = readonly IndexStatement[];

const alone = (sql: string): IndexStatement => ({ sql, isAlone: true });
const together = (sql: string): IndexStatement => ({ sql, isAlone: false });

type Node = TableRef & {
  readonly oid: number;
  readonly parent: number;
  readonly isLeaf: boolean;
  /** Indexes of ours that are whole, by name. */
  readonly own: readonly string[];
  /** What its part of an index of the table above is called, by the name of that. */
  readonly partOf: Readonly<Record<string, string>>;
};

/**
 * What is missing of the indexes of a partitioned table. PostgreSQL makes none of those concurrently: each partition's is made by itself and
 * hung onto one of the table above, which stands empty until all are there; a partition that comes later gets its own with it (manual, 5.12.2.1).
 */
export async function missingInPartitions(
  client: pg.ClientBase,
  field: Field,
  { left }: { readonly left: boolean },
): Promise<readonly IndexSteps[]> {
  const nodes = await treeOf(client, field);
  const steps = nodes.flatMap((node) => [
    ...(left && node.isLeaf ? [leftIndex(field, node)] : []),
    ...indexesToSearch(field).map((index) =>
      searchIndex(node, nodes, { name: searchIndexName(field, index), column: index.column }),
    ),
  ]);
  return steps.filter((each) => each.length > 0);
}

function leftIndex(field: Field, node: Node): IndexSteps {
  const name = `${objectName('left', field)}_${node.oid}`;
  if (node.own.includes(name)) return [];
  const [plain, sealed] = [quoteName(field.column), quoteName(field.encryptedColumn)];
  return [
    together(`drop index if exists ${quoteName(node.schema)}.${quoteName(name)}`),
    alone(
      `create index concurrently ${quoteName(name)} on ${quoteTable(node)} ((true)) where (${plain} is null) <> (${sealed} is null)`,
    ),
  ];
}

type Wanted = { readonly name: string; readonly column: string };

function searchIndex(node: Node, nodes: readonly Node[], { name, column }: Wanted): IndexSteps {
  const own = nameIn(node, name);
  const parent = nodes.find(({ oid }) => oid === node.parent);
  const above = parent === undefined ? undefined : { ...parent, name: nameIn(parent, name) };
  const drop = together(`drop index if exists ${quoteName(node.schema)}.${quoteName(own)}`);
  const part = above === undefined ? undefined : node.partOf[above.name];
  // Whoever attaches a partition gets an index of PostgreSQL's making with it: ours, begun before, is one too many.
  if (part !== undefined) return part !== own && node.isLeaf && node.own.includes(own) ? [drop] : [];
  const attach =
    above === undefined
      ? []
      : [
          together(
            `alter index ${quoteName(above.schema)}.${quoteName(above.name)} attach partition ${quoteName(node.schema)}.${quoteName(own)}`,
          ),
        ];
  if (!node.isLeaf)
    return [
      ...(node.own.includes(own)
        ? []
        : [together(`create index ${quoteName(own)} on only ${quoteTable(node)} (${quoteName(column)})`)]),
      ...attach,
    ];
  if (node.own.includes(own)) return attach;
  return [drop, alone(`create index concurrently ${quoteName(own)} on ${quoteTable(node)} (${quoteName(column)})`), ...attach];
}

/** The table that the field is of has the name itself. */
function nameIn({ oid, parent }: Node, name: string): string {
  return parent === 0 ? name : `${name}_${oid}`;
}

/** From the table down. An index that is not whole counts on partitioned tables, whose indexes are so until all parts are there. */
async function treeOf(client: pg.ClientBase, field: Field): Promise<readonly Node[]> {
  const { rows } = await client.query<Node>(
    `select n.nspname as schema, c.relname as table, c.oid::int8::float8 as oid,
            case when p.level = 0 then 0 else p.parentrelid::oid::int8::float8 end as parent, p.isleaf as "isLeaf",
            array(select x.relname::text from pg_catalog.pg_index as i join pg_catalog.pg_class as x on x.oid = i.indexrelid
                   where i.indrelid = c.oid and pg_catalog.starts_with(x.relname::text, 'zz_safekeep_') and (i.indisvalid or not p.isleaf)) as own,
            (select coalesce(pg_catalog.jsonb_object_agg(y.relname, x.relname), '{}')
               from pg_catalog.pg_index as i join pg_catalog.pg_inherits as h on h.inhrelid = i.indexrelid
               join pg_catalog.pg_class as x on x.oid = i.indexrelid join pg_catalog.pg_class as y on y.oid = h.inhparent
              where i.indrelid = c.oid) as "partOf"
       from pg_catalog.pg_partition_tree(pg_catalog.to_regclass($1)) as p
       join pg_catalog.pg_class as c on c.oid = p.relid join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
      where c.relkind in ('r', 'p') order by p.level, c.oid`,
    [quoteTable(field.table)],
  );
  return rows;
}
