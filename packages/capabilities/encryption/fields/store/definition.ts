import type pg from 'pg';
import { quoteName, quoteTable, quoteText } from '@safekeep/postgres';
import type { Field } from '../model.ts';
import { isAtLeast, refusesPlaintext, type Phase } from '../rules/life.ts';
import { createIndexTriggers, createSearchIndexes, dropIndexTriggers, indexArguments, shownChecks } from './index-definition.ts';
import { indexColumnType, namesOf, NOT_THE_ENGINE, objectName, rowsOf, viewOf } from './names.ts';
import { missingInPartitions, type IndexSteps } from './partitions.ts';

/** The first bytes of every sealed value. They are no UTF-8, so no text can pass for one. */
const MAGIC = `'\\xfa53'::pg_catalog.bytea`;

/** What the database refuses in the ciphertext's column from the first day on: anything that is not sealed. */
function sealedCheck(field: Field): string {
  const { encrypted } = namesOf(field);
  return `check (${encrypted} is null or (pg_catalog.substr(${encrypted}, 1, 2) operator(pg_catalog.=) ${MAGIC} and pg_catalog.octet_length(${encrypted}) operator(pg_catalog.>=) 41))`;
}

/** One statement, one lock. NOT VALID costs no look at the rows, and there are none yet. */
export function addColumns(field: Field): readonly string[] {
  const { table, encrypted } = namesOf(field);
  const columns = [
    `${encrypted} pg_catalog.bytea`,
    ...field.indexes.map((index) => `${quoteName(index.column)} ${indexColumnType(index)}`),
  ];
  return [
    `alter table ${table} ${[...columns.map((column) => `add column ${column}`), `add constraint ${quoteName(objectName('sealed', field))} ${sealedCheck(field)} not valid`, ...shownChecks(field)].join(', ')}`,
  ];
}

export function dropColumns(field: Field): readonly string[] {
  const { table, encrypted, indexes } = namesOf(field);
  return [`alter table ${table} ${[encrypted, ...indexes].map((column) => `drop column if exists ${column}`).join(', ')}`];
}

const TRIGGERS = ['card', 'insert', 'proposed', 'ended', 'update', 'cleared', 'keep', 'volunteered'] as const;
/** See {@link countCiphertext}. */
const ALONE = ['both', 'replaced'] as const;

/**
 * How writes are taken from this phase on. While plaintext is taken, both stand side by side: who writes plaintext without a key
 * leaves the row marked as not sealed (plaintext, no ciphertext), who writes only ciphertext leaves it without plaintext, or with the
 * one that it opens to. Afterwards plaintext is sealed or refused, and never stored.
 */
export function createTriggers(field: Field, phase: Phase): readonly string[] {
  const strict = refusesPlaintext(phase);
  const { table, column, encrypted } = namesOf(field);
  const plainChanged = `pg_catalog.record_image_ne(row(old.${column}), row(new.${column}))`;
  const sealedChanged = `pg_catalog.record_image_ne(row(old.${encrypted}), row(new.${encrypted}))`;
  const made: Record<
    Exclude<(typeof TRIGGERS)[number], 'card' | 'ended'>,
    { readonly event: string; readonly when: string; readonly action: string } | null
  > = {
    insert: strict
      ? { event: 'insert', when: `new.${column} is not null`, action: 'seal' }
      : field.mode === 'database'
        ? { event: 'insert', when: `new.${column} is not null and new.${encrypted} is null`, action: 'seal' }
        : null,
    proposed: strict
      ? { event: 'insert', when: `new.${encrypted} is not null or ${hasProposed(field)}`, action: 'proposed' }
      : null,
    update: strict
      ? { event: `update of ${column}`, when: `new.${column} is not null and ${plainChanged}`, action: 'seal' }
      : {
          event: 'update',
          // A client's row without ciphertext stays so, whoever writes: there is nothing to call for.
          when: `${plainChanged} and not (${sealedChanged})${field.mode === 'client' ? ` and new.${encrypted} is not null` : ''}`,
          action: 'seal',
        },
    cleared: field.indexes.every(({ kind }) => kind === 'compound')
      ? null
      : { event: 'update', when: `${sealedChanged} and new.${encrypted} is null`, action: 'cleared' },
    keep: strict
      ? {
          event: `update of ${column}`,
          when: `new.${column} is null and (old.${encrypted} is not null or ${hasProposed(field)}) and not (${sealedChanged})`,
          action: 'keep',
        }
      : null,
    // Comes last of those that seal: what the statement named is sealed by now, and a value that still stands is a trigger's.
    volunteered: strict ? { event: 'update', when: `new.${column} is not null and ${plainChanged}`, action: 'volunteered' } : null,
  };
  const own = TRIGGERS.flatMap((name) => {
    const trigger = quoteName(objectName(name, field));
    if (name === 'card') return cardTrigger(field, trigger);
    if (name === 'ended') return endedTrigger(field, trigger, strict);
    const wanted = made[name];
    return wanted === null
      ? [`drop trigger if exists ${trigger} on ${table}`]
      : [createTrigger(field, { ...wanted, name: trigger, strict })];
  });
  return [...own, ...countCiphertext(field, phase), ...createIndexTriggers(field)];
}

type MadeTrigger = {
  readonly name: string;
  readonly event: string;
  readonly when: string;
  readonly action: string;
  readonly strict: boolean;
};

function createTrigger(field: Field, { name, event, when, action, strict }: MadeTrigger): string {
  const call = `safekeep.seal_column(${triggerArguments(field, action, strict)})`;
  return `create or replace trigger ${name} before ${event} on ${namesOf(field).table} for each row when ((${when}) and ${NOT_THE_ENGINE}) execute function ${call}`;
}

/**
 * Where ciphertext alone was written, or taken away, it is what counts, and the plaintext beside it is old. Until readers take it, a
 * row that had none is being sealed by somebody. `both` says to `replaced`, which comes after it for the same row, that the statement
 * names the plaintext too: a value that is written again as it was keeps it. Nothing is dropped, so readers need not wait.
 */
export function countCiphertext(field: Field, phase: Phase): readonly string[] {
  const { column, encrypted } = namesOf(field);
  const changed = (name: string): string => `pg_catalog.record_image_ne(row(old.${name}), row(new.${name}))`;
  const before = isAtLeast(phase, 'switched') ? '' : ` and old.${encrypted} is not null`;
  const when = `${changed(encrypted)} and new.${column} is not null and not ${changed(column)}${before}`;
  return ALONE.map((action) =>
    createTrigger(field, {
      name: quoteName(objectName(action, field)),
      event: action === 'both' ? `update of ${column}` : 'update',
      when,
      action,
      strict: refusesPlaintext(phase),
    }),
  );
}

/**
 * The row that this INSERT has proposed had a value, of which only the ciphertext is left: an upsert that takes the plaintext over would
 * lose it in silence, also where the row that stands there has no value. For the statement, and for one row after the other.
 */
function hasProposed({ id }: Pick<Field, 'id'>): string {
  const marked = quoteText(`safekeep.proposed_${id.replaceAll('-', '')}`);
  return `nullif(pg_catalog.current_setting(${marked}, true), '') is not null`;
}

function endedTrigger(field: Field, trigger: string, strict: boolean): readonly string[] {
  const { table } = namesOf(field);
  if (!strict) return [`drop trigger if exists ${trigger} on ${table}`];
  return [
    `create or replace trigger ${trigger} after insert on ${table} for each statement when (${hasProposed(field)}) execute function safekeep.seal_column(${triggerArguments(field, 'ended', strict)})`,
  ];
}

/** Comes before those that seal, in the order of their names. In client mode the SDK checks. */
function cardTrigger(field: Field, trigger: string): readonly string[] {
  const { table, column } = namesOf(field);
  if (!field.isCard || field.mode !== 'database') return [`drop trigger if exists ${trigger} on ${table}`];
  return [
    `create or replace trigger ${trigger} before insert or update of ${column} on ${table} for each row when (new.${column} is not null and ${NOT_THE_ENGINE}) execute function safekeep.check_card(${quoteText(field.column)})`,
  ];
}

function triggerArguments(field: Field, action: string, strict: boolean): string {
  const own = [
    action,
    strict ? 'strict' : 'loose',
    field.mode,
    field.tenant,
    field.id,
    field.column,
    field.encryptedColumn,
    field.valueType,
  ];
  return [...own, ...indexArguments(field.indexes)].map((each) => quoteText(each)).join(', ');
}

export function dropTriggers(field: Field): readonly string[] {
  const { table } = namesOf(field);
  return [
    ...[...TRIGGERS, ...ALONE].map((name) => `drop trigger if exists ${quoteName(objectName(name, field))} on ${table}`),
    ...dropIndexTriggers(field),
  ];
}

/** From `nulled` on no row may have plaintext, and where the plaintext could not be NULL the ciphertext cannot either. */
export function addChecks(field: Field): readonly string[] {
  const { table, column, encrypted } = namesOf(field);
  return [
    `alter table ${table} add constraint ${quoteName(objectName('empty', field))} check (${column} is null) not valid`,
    ...(field.notNull === null
      ? []
      : [
          `alter table ${table} add constraint ${quoteName(objectName('present', field))} check (${encrypted} is not null) not valid`,
        ]),
  ];
}

/** Looks at every row under a lock that stops neither reads nor writes. */
export function validateChecks(field: Field): readonly string[] {
  const { table } = namesOf(field);
  const names = ['sealed', 'empty', ...(field.notNull === null ? [] : ['present'])];
  return names.map((name) => `alter table ${table} validate constraint ${quoteName(objectName(name, field))}`);
}

export function dropChecks(field: Field): readonly string[] {
  const { table } = namesOf(field);
  return ['empty', 'present'].map((name) => `alter table ${table} drop constraint if exists ${quoteName(objectName(name, field))}`);
}

export function dropNotNull(field: Field): readonly string[] {
  const { table, column } = namesOf(field);
  return field.notNull === null ? [] : [`alter table ${table} alter column ${column} drop not null`];
}

/** First a constraint that is tested without stopping anybody; with it in place SET NOT NULL need not look at the rows again. */
export function addPresenceCheck(field: Field): readonly string[] {
  const { table, column } = namesOf(field);
  const name = quoteName(objectName('again', field));
  return [
    `alter table ${table} drop constraint if exists ${name}`,
    `alter table ${table} add constraint ${name} check (${column} is not null) not valid`,
  ];
}

export function validatePresence(field: Field): readonly string[] {
  return [`alter table ${namesOf(field).table} validate constraint ${quoteName(objectName('again', field))}`];
}

export function restoreNotNull(field: Field): readonly string[] {
  if (field.notNull === null) return [];
  const { table, column } = namesOf(field);
  return [
    // From PostgreSQL 18 on NOT NULL is a constraint with a name, which is part of the schema that must be as before.
    field.notNull === ''
      ? `alter table ${table} alter column ${column} set not null`
      : `alter table ${table} add constraint ${quoteName(field.notNull)} not null ${column}`,
    `alter table ${table} drop constraint if exists ${quoteName(objectName('again', field))}`,
  ];
}

/** Rows that are not sealed (or, on the way back, not opened) yet, found without a look at the others. */
function createLeftIndex(field: Field): readonly string[] {
  const { table, column, encrypted } = namesOf(field);
  const name = objectName('left', field);
  return [
    `drop index concurrently if exists ${quoteName(field.table.schema)}.${quoteName(name)}`,
    `create index concurrently ${quoteName(name)} on ${table} ((true)) where (${column} is null) <> (${encrypted} is null)`,
  ];
}

/** Of a partitioned table each partition has one of its own, also where it was taken out meanwhile. */
export function dropLeftIndex(field: Field): readonly string[] {
  const name = objectName('left', field);
  if (!field.isPartitioned) return [`drop index if exists ${quoteName(field.table.schema)}.${quoteName(name)}`];
  return [
    `do $drop$
declare
  made record;
begin
  for made in select n.nspname, c.relname from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid operator(pg_catalog.=) c.relnamespace
               where c.relkind operator(pg_catalog.=) 'i' and pg_catalog.starts_with(c.relname::pg_catalog.text, ${quoteText(`${name}_`)}) loop
    execute pg_catalog.format('drop index if exists %I.%I', made.nspname, made.relname);
  end loop;
end
$drop$`,
  ];
}

/** Every index of ours on the table that is whole; those that an interrupted try left are not. */
async function validIndexes(client: pg.ClientBase, field: Field): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ name: string }>(
    `select c.relname as name from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid
      where i.indrelid = pg_catalog.to_regclass($1) and i.indisvalid and pg_catalog.starts_with(c.relname, 'zz_safekeep_')`,
    [quoteTable(field.table)],
  );
  return new Set(rows.map(({ name }) => name));
}

/** Which indexes must stand: over what is left to do, over what it is searched by, or both. */
export type IndexesAsked = { readonly left: boolean; readonly search: boolean };

/** For each index that does not stand yet what makes it, statement by statement: CONCURRENTLY allows no transaction. */
export async function missingIndexes(
  client: pg.ClientBase,
  field: Field,
  { left, search }: IndexesAsked,
): Promise<readonly IndexSteps[]> {
  if (field.isPartitioned) return await missingInPartitions(client, search ? field : { ...field, indexes: [] }, { left });
  const there = await validIndexes(client, field);
  const statements = [
    ...(!left || there.has(objectName('left', field)) ? [] : [createLeftIndex(field)]),
    ...(search ? createSearchIndexes(field, there) : []),
  ];
  return statements.map((each) => each.map((sql) => ({ sql, isAlone: true })));
}

export async function runAll(client: pg.ClientBase, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await client.query(statement);
}

/**
 * Stops writers, not readers: for a step that proves something about the rows and alters nothing of the table. A transaction that
 * alters it takes {@link lockToAlter}: from here it would wait for readers while writers wait for it, a deadlock of our making.
 */
export async function lockAgainstWrites(client: pg.ClientBase, field: Field): Promise<void> {
  await client.query(`lock table ${rowsOf(field)} in share row exclusive mode`);
}

/**
 * All that the transaction will need of the table and its view, at once and first, in the order of those who use the view: the
 * view, then the table (LOCK TABLE of a view goes on to what it reads). Nothing is waited for afterwards, so the only deadlock
 * left is one with a transaction that has the table and comes to the view, and in that our wait for the table, which begins as
 * soon as we have the view, ends before theirs is looked at: {@link Patience} keeps it far below deadlock_timeout.
 */
export async function lockToAlter(client: pg.ClientBase, field: Field): Promise<void> {
  const { rows } = await client.query<{ there: boolean }>(
    `select exists (select from pg_catalog.pg_class where oid = pg_catalog.to_regclass($1) and relkind = 'v') as there`,
    [viewOf(field)],
  );
  if (rows[0]?.there === true) await client.query(`lock table ${viewOf(field)} in access exclusive mode`);
  await client.query(`lock table ${rowsOf(field)} in access exclusive mode`);
}

/**
 * Clears what the planner's statistics show of the plaintext, those of expressions over it and of several columns too, and gives
 * back the dead rows that hold it.
 */
export function forget(field: Field): readonly string[] {
  const { table } = namesOf(field);
  return [`vacuum ${table}`, `analyze ${table}`];
}

/** The types of columns as they stand now; null of one that is gone. A change meanwhile stops the work before it writes anything. */
export async function currentTypes(
  client: pg.ClientBase,
  fields: readonly Pick<Field, 'table' | 'column'>[],
): Promise<readonly (string | null)[]> {
  const { rows } = await client.query<{ type: string | null }>(
    `select pg_catalog.format_type(a.atttypid, a.atttypmod) as type
       from unnest($1::pg_catalog.text[], $2::pg_catalog.text[]) with ordinality as f (relation, name, place)
       left join pg_catalog.pg_attribute as a on a.attrelid = pg_catalog.to_regclass(f.relation) and a.attname = f.name and not a.attisdropped
      order by f.place`,
    [fields.map(({ table }) => quoteTable(table)), fields.map(({ column }) => column)],
  );
  return rows.map(({ type }) => type);
}

/**
 * Milliseconds to wait where a vacuum has the table, else null: an autovacuum gives way to somebody who waits for deadlock_timeout, and to
 * nobody who gives up before. VACUUM and its like hold this lock alone; who may see it is everybody.
 */
export async function vacuumPatience(client: pg.ClientBase, { table }: Pick<Field, 'table'>): Promise<number | null> {
  const { rows } = await client.query<{ ms: number }>(
    `select (extract(epoch from pg_catalog.current_setting('deadlock_timeout')::pg_catalog.interval) * 1000 + 500)::int4 as ms
      where exists (select from pg_catalog.pg_locks l
                     where (l.relation = pg_catalog.to_regclass($1)
                            or l.relation in (select p.relid from pg_catalog.pg_partition_tree(pg_catalog.to_regclass($1)) as p)) and l.granted
                       and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
                       and l.mode = 'ShareUpdateExclusiveLock')`,
    [quoteTable(table)],
  );
  return rows[0]?.ms ?? null;
}
