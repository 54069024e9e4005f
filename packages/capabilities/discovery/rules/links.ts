import { formatTableName, tableName } from '@safekeep/core';
import type { Table } from '@safekeep/postgres';
import { familyOf } from './families.ts';
import { signatureOf } from './signature.ts';
import type { Speech } from './words.ts';

/** One table refers to another, by a foreign key or by its names alone. */
export type TableLink = {
  readonly from: string;
  readonly columns: readonly string[];
  readonly to: string;
  readonly references: readonly string[];
  readonly declared: boolean;
  /** By whom a row was made, rather than about whom it is. */
  readonly author: boolean;
  readonly staff: boolean;
};

/** All references of a schema. Where no foreign key says it, `patient_id` beside a table patients is one too, if the types fit. */
export function linksOf(tables: readonly Table[], speech: Speech): readonly TableLink[] {
  const names = new Set(tables.map(tableName));
  const declared = tables.flatMap((table) =>
    table.foreignKeys
      .map((key) =>
        link(
          table,
          { columns: key.columns, to: formatTableName(key.references), references: key.references.columns },
          { speech, declared: true },
        ),
      )
      .filter(({ to }) => names.has(to)),
  );
  const bound = new Set(declared.flatMap(({ from, columns }) => columns.map((column) => `${from}\n${column}`)));
  const targets = targetsOf(tables);
  const inferred = tables
    .filter(({ kind }) => kind !== 'view' && kind !== 'materialized-view')
    .flatMap((table) =>
      table.columns
        .filter(({ name }) => !bound.has(`${tableName(table)}\n${name}`) && !isOnlyKey(table, name))
        .flatMap((column) => {
          const target = targetOf(table, column, { targets, speech });
          if (target === undefined) return [];
          return [link(table, { columns: [column.name], to: target.name, references: [target.key] }, { speech, declared: false })];
        }),
    );
  return [...declared, ...inferred];
}

function link(
  table: Table,
  ends: Pick<TableLink, 'columns' | 'to' | 'references'>,
  { speech, declared }: { readonly speech: Speech; readonly declared: boolean },
): TableLink {
  const signatures = ends.columns.map((column) => signatureOf(column, speech));
  return {
    from: tableName(table),
    ...ends,
    declared,
    author: signatures.some(({ author }) => author),
    staff: signatures.some(({ staff }) => staff),
  };
}

type Target = {
  readonly name: string;
  readonly schema: string;
  readonly key: string;
  readonly family: string;
  /** It has no key that could be referred to, as after a load from files: then names must do. */
  readonly unbound: boolean;
};

/** Tables by what a column that refers to them would be called. Null: several tables share it. */
function targetsOf(tables: readonly Table[]): ReadonlyMap<string, Target | null> {
  const made = new Map<string, Target | null>();
  for (const table of tables) {
    const key = keyColumn(table);
    if (key === undefined || table.partition !== null || table.kind === 'view') continue;
    const target = {
      name: tableName(table),
      schema: table.schema,
      key: key.name,
      family: comparable(familyOf(key)),
      unbound: table.primaryKey === null,
    };
    const said = `=${key.name.toLowerCase()}`;
    if (!GENERIC_KEY.test(key.name)) made.set(said, made.has(said) ? null : target);
    const words = wordsOf(table.name);
    // wp_users and tbl_customer are called users and customer by those who refer to them.
    for (const said of new Set([words, ...(words.length > 1 ? [words.slice(1)] : [])].map((some) => some.map(stem).join('')))) {
      const other = made.get(said);
      const exact = said === words.map(stem).join('');
      made.set(said, other === undefined || (exact && other !== null) ? target : other);
    }
  }
  return made;
}

const GENERIC_KEY =
  /^(id|uuid|guid|code|key|name|no|nr|number|type|status|value|title|email|username|date|entity_id|country|country_code|language|slug|token|year|zip|postcode)$/i;

/** The column that names a row: the primary key, else what is called id. */
function keyColumn(table: Table): Table['columns'][number] | undefined {
  const [only, more] = table.primaryKey?.columns ?? [];
  if (more !== undefined) return undefined;
  return table.columns.find(({ name }) =>
    only === undefined ? /^(id|uuid|guid)$/i.test(name) || isOwnId(table, name) : name === only,
  );
}

function isOwnId(table: Table, name: string): boolean {
  const words = wordsOf(name);
  return (
    words.length > 1 &&
    IDS.has(words.at(-1) ?? '') &&
    words.slice(0, -1).map(stem).join('') === wordsOf(table.name).map(stem).join('')
  );
}

/** `entity_id` that names its own row refers to nothing by its name alone. */
function isOnlyKey({ primaryKey }: Table, name: string): boolean {
  return primaryKey?.columns.length === 1 && primaryKey.columns[0] === name;
}

const IDS = new Set(['id', 'uuid', 'guid', 'fk', 'ref', 'oid', 'uid', 'key', 'no', 'nr', 'number', 'cod', 'code', 'num']);

function targetOf(
  table: Table,
  column: Table['columns'][number],
  { targets }: { readonly targets: ReadonlyMap<string, Target | null>; readonly speech: Speech },
): Target | undefined {
  const words = wordsOf(column.name);
  const isId = IDS.has(words.at(-1) ?? '') || IDS.has(words[0] ?? '');
  const family = comparable(familyOf(column));
  const base = words.filter((word, place) => !(IDS.has(word) && (place === words.length - 1 || place === 0))).map(stem);
  // A key with a name of its own is called so wherever it is referred to: matrikelnr, pid, business_entity_id.
  const named = targets.get(`=${column.name.toLowerCase()}`);
  if (named !== undefined && named !== null && named.family === family && named.name !== tableName(table)) return named;
  for (let from = 0; from < base.length; from += 1) {
    // A whole name that says a table (`PATIENT`) is a reference only if it cannot be a text about it: it must be a number or uuid,
    // or hold what the key of that table holds, which here is told by its type alone.
    const target = targets.get(base.slice(from).join(''));
    if (target === undefined || target === null || target.family !== family) continue;
    if (target.name === tableName(table) && target.key === column.name) continue;
    if (isId || (from === 0 && (family !== 'text' || target.unbound))) return target;
  }
  return undefined;
}

function comparable(family: string): string {
  return family === 'unknown' ? 'text' : family;
}

function wordsOf(name: string): readonly string[] {
  return name
    .replaceAll(/(\p{Ll})(\p{Lu})/gu, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .flatMap((word) => /^(\p{L}{3,}?)(id|uuid)$/u.exec(word)?.slice(1) ?? [word])
    .filter((word) => word !== '');
}

/** One form for one and many: `categories` and `category`, `Kunden` and `Kunde`. */
export function stem(word: string): string {
  return word.replace(/ies$/, 'y').replace(/(?<=.{3})(es|en|s|n|e)$/, '');
}
