import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPractice, only } from '../fixture.ts';
import { quoted } from '../tables.ts';
import { labels } from './labels.ts';
import type { Owner, TableLabel, TableTrait } from './model.ts';

const { database } = await openPractice();

type Reference = { readonly id: number; readonly from: string; readonly table: string };

function rows(sql: string, ...parameters: string[]): readonly Record<string, unknown>[] {
  return database.prepare(sql).all(...parameters);
}

const tables = rows(
  "SELECT name, type, wr, strict FROM pragma_table_list WHERE schema = 'main' AND type <> 'view' AND name NOT GLOB 'sqlite_*'",
);
const ordinary = tables.filter(({ type }) => type === 'table').map(({ name }) => String(name));
const labelled = Object.entries(labels.tables);

function columnsOf(table: string): readonly Record<string, unknown>[] {
  // hidden: 1 is a column of a virtual table that `SELECT *` does not show.
  return rows('SELECT name, pk, hidden FROM pragma_table_xinfo(?) WHERE hidden <> 1', table);
}

function references(table: string): readonly Reference[] {
  return rows('SELECT id, "from", "table" FROM pragma_foreign_key_list(?)', table).map(({ id, from, table: parent }) => ({
    id: Number(id),
    from: String(from),
    table: String(parent),
  }));
}

/** Where the columns of a key lead, when exactly they are a declared foreign key. */
function target(table: string, columns: readonly string[]): string | undefined {
  const all = references(table);
  const keys = new Set(all.map(({ id }) => id));
  for (const key of keys) {
    const parts = all.filter(({ id }) => id === key);
    if (parts.length === columns.length && parts.every(({ from }) => columns.includes(from))) return parts[0]?.table;
  }
  return undefined;
}

/** `[a, "b c"]` or `a` as names. */
function names(text: string): readonly string[] {
  return text
    .replaceAll(/^\[|\]$/g, '')
    .split(', ')
    .map((name) => name.replaceAll('"', ''));
}

/** `a -> t.b -> u.c` as steps from table to table. */
function steps(table: string, { path }: Owner): readonly { readonly table: string; readonly columns: readonly string[] }[] {
  return path.split(' -> ').map((step, index) => {
    if (index === 0) return { table, columns: names(step) };
    const dot = step.indexOf('.');
    return { table: step.slice(0, dot), columns: names(step.slice(dot + 1)) };
  });
}

/** The tables a table leads to over foreign keys, over any number of hops. */
function reachable(from: string): ReadonlySet<string> {
  const seen = new Set<string>();
  const open = references(from).map((reference) => reference.table);
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    open.push(...references(next).map((reference) => reference.table));
  }
  return seen;
}

function withTrait(trait: TableTrait): readonly string[] {
  return labelled
    .filter(([, label]) => label.traits.includes(trait))
    .map(([name]) => name)
    .toSorted();
}

test('every table of the file is labelled, and no other', () => {
  assert.deepEqual(Object.keys(labels.tables).toSorted(), tables.map(({ name }) => String(name)).toSorted());
});

test('every column is labelled, in the order of the table, and no other', () => {
  for (const [name, label] of labelled) {
    assert.deepEqual(
      Object.keys(label.columns),
      columnsOf(name).map((column) => column['name']),
      name,
    );
  }
});

test('every path to a person follows declared foreign keys and ends at that kind of person', () => {
  for (const [name, label] of labelled) {
    for (const owner of label.of) {
      const path = steps(name, owner);
      const subject = labels.subjects[owner.subject];
      for (const [index, step] of path.entries()) {
        const next = path[index + 1]?.table ?? subject.table;
        if (index === 0 && owner.matches !== undefined) {
          assert.equal(owner.matches.table, next);
          assert.ok(columnsOf(next).some((column) => column['name'] === owner.matches?.column));
          continue;
        }
        const ownKey = step.table === subject.table && step.columns.join() === subject.key;
        assert.ok(ownKey || target(step.table, step.columns) === next, `${name}: ${owner.path} at ${step.columns.join()}`);
      }
    }
  }
});

test('every foreign key straight to a person is among the paths of its table', () => {
  for (const [name, label] of labelled) {
    for (const [type, subject] of Object.entries(labels.subjects)) {
      for (const { from } of references(name).filter(({ table }) => table === subject.table)) {
        assert.ok(
          label.of.some((owner) => owner.subject === type && owner.path === from),
          `${name}.${from}`,
        );
        assert.equal(label.columns[from]?.category, 'user.unique_id');
      }
    }
  }
});

test('a column with a personal category stands in a table that leads to a person', () => {
  for (const [name, label] of labelled) {
    const personal = Object.values(label.columns).some(({ category }) => category !== 'none');
    if (personal && !name.startsWith('notes_search_')) assert.ok(label.of.length > 0, name);
  }
});

test('subjects are found by columns that exist', () => {
  for (const { table, key, label, findBy } of Object.values(labels.subjects)) {
    const columns = Object.keys(labels.tables[table]?.columns ?? {});
    for (const column of [key, label, ...findBy]) assert.ok(columns.includes(column), `${table}.${column}`);
  }
});

const STRUCTURE: Readonly<Partial<Record<TableTrait, (table: string, label: TableLabel) => boolean>>> = {
  'self-reference': (table) => references(table).some((reference) => reference.table === table),
  'cycle': (table) => [...reachable(table)].some((other) => other !== table && reachable(other).has(table)),
  'composite-key': (table) => columnsOf(table).filter(({ pk }) => pk !== 0).length > 1,
  'composite-foreign-key': (table) => new Set(references(table).map(({ id }) => id)).size < references(table).length,
  'no-key': (table) => columnsOf(table).every(({ pk }) => pk === 0),
  'empty': (table) => only(database, `SELECT count(*) FROM ${quoted(table)}`) === 0,
  'without-rowid': (table) => tables.find(({ name }) => name === table)?.['wr'] === 1,
  'strict': (table) => tables.find(({ name }) => name === table)?.['strict'] === 1,
  'soft-delete': (table) => columnsOf(table).some(({ name }) => name === 'deleted_at'),
  'shared-row': (_table, label) =>
    label.of.filter(({ subject, meaning }) => subject === 'patient' && meaning !== 'about').length > 1,
  'quoted-names': (table) => /[A-Z ]/.test(table),
};

for (const [trait, holds] of Object.entries(STRUCTURE)) {
  test(`the tables labelled ${trait} are those that are so`, () => {
    const found = ordinary.filter((name) => {
      const label = labels.tables[name];
      return label !== undefined && holds(name, label);
    });
    // The keys of STRUCTURE are traits; Object.entries widens them to string.
    assert.deepEqual(withTrait(trait as TableTrait), found.toSorted());
    assert.ok(found.length > 0);
  });
}

test('the columns labelled generated are those that are so', () => {
  for (const [name, label] of labelled) {
    const generated = columnsOf(name).filter(({ hidden }) => hidden === 2 || hidden === 3);
    const told = Object.entries(label.columns).filter(([, column]) => column.traits?.includes('generated'));
    assert.deepEqual(
      told.map(([column]) => column),
      generated.map((column) => column['name']),
      name,
    );
  }
});
