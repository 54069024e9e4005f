import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { problemCatalogue } from '@safekeep/core';
import { fingerprint, readCatalog } from '@safekeep/postgres';
import { testDatabase, testServers, type TestServer } from '@safekeep/postgres/testing';
import { safekeepAtHand, temporaryHome } from 'safekeep/testing';
import { faultyClinic, faultyMap } from './faulty-clinic.ts';
import { mapByName } from './map-by-name.ts';

const SHARED = join(import.meta.dirname, '..', '..', '..', 'shared', 'data');
const skipped = existsSync(SHARED) ? false : 'skipped: ../shared/data not present';
const fifteen = testServers().find(({ name }) => name === '15');

/** A home with a map, and a database of somebody's own that the CLI is pointed at. */
async function workplace(t: TestContext, server?: TestServer) {
  const folder = await temporaryHome(t);
  const home = join(folder, 'home');
  const { pool, url } = await testDatabase(t, server === undefined ? {} : { server });
  const mapFile = join(folder, 'datamap.yaml');
  // The result is what a script would get: JSON without a type; each test holds the parts that it looks at against values.
  const run = async (database: string, args: readonly string[]) => {
    const { code, stdout, stderr } = await safekeepAtHand([...args, '--db', database, '--home', home, '--map', mapFile, '--json']);
    assert.notEqual(stdout, '', stderr);
    return { code, result: JSON.parse(stdout), stderr };
  };
  return {
    folder,
    pool,
    url,
    call: (...args: string[]) => run(url.reveal(), args),
    callAt: (database: string, ...args: string[]) => run(database, args),
    writeMap: (text: string) => writeFile(mapFile, text),
    state: async () => fingerprint(await readCatalog(pool, { schemas: ['public'] })),
  };
}
type Workplace = Awaited<ReturnType<typeof workplace>>;

test('a shop moves over, its map is checked, planned, applied and watched, and everything goes out again', async (t) => {
  const place = await workplace(t);
  await importSqlite(place, makeShop(join(place.folder, 'a shop.db')));
  await place.writeMap(SHOP_MAP);
  const { steps } = await wholeWay(place, 'public."Invoice Lines"');
  assert.deepEqual(
    [...new Set(steps.map(({ kind }) => kind))],
    ['audit-capture', 'audit-baseline', 'column-comment', 'compliance-columns', 'compliance-trigger', 'row-policy', 'row-security'],
  );
  const added = steps.find(({ kind }) => kind === 'compliance-columns');
  assert.deepEqual(
    [added?.id, added?.target, added?.reversible, added?.locks],
    [
      'create compliance-columns:public.customers',
      'public.customers',
      false,
      [{ table: 'public.customers', mode: 'ACCESS EXCLUSIVE' }],
    ],
  );
});

test('the compliance fields and row security that the map asks for do their work', async (t) => {
  const { pool, call, ...place } = await workplace(t);
  await importSqlite({ call }, makeShop(join(place.folder, 'shop.db')));
  await place.writeMap(SHOP_MAP);
  assert.equal((await call('apply', '--yes')).code, 0);
  const login = `shop_${randomBytes(6).toString('hex')}`;
  await pool.query(`create role ${login}; grant select, update on all tables in schema public to ${login}`);
  const seen = async (question: string, tenant = '') => {
    const client = await pool.connect();
    try {
      await client.query(`begin; set local role ${login}; set local safekeep.tenant = '${tenant}'`);
      return (await client.query({ text: question, rowMode: 'array' })).rows.flat();
    } finally {
      await client.query('rollback');
      client.release();
    }
  };
  try {
    assert.deepEqual(await seen('select id from "Invoices"', 'north'), ['1']);
    assert.deepEqual(await seen('select id from "Invoices"', 'nobody'), []);
    await pool.query(
      `update customers set deleted_at = now() where id = 2; update "Invoice Lines" set item = 'an opera' where line = 2`,
    );
    assert.deepEqual(await seen('select id from customers'), ['1']);
    assert.deepEqual((await pool.query('select version from customers order by id')).rows, [{ version: 1 }, { version: 2 }]);
    const { rows } = await pool.query('select table_name, record, version from safekeep.compliance_fields');
    assert.deepEqual(rows, [{ table_name: 'public."Invoice Lines"', record: '1,2', version: 1 }]);
  } finally {
    await pool.query(`drop owned by ${login}; drop role ${login}`);
  }
});

test('nothing is changed without consent, nor by a plan that nobody looked at, nor out of a map that does not fit', async (t) => {
  const { pool, call, ...place } = await workplace(t);
  await importSqlite({ call }, makeShop(join(place.folder, 'shop.db')));
  await place.writeMap(SHOP_MAP);
  const before = await place.state();
  const refused = async (expected: readonly [exit: number, code: string], ...args: string[]) => {
    const answer = await call(...args);
    assert.deepEqual([answer.code, answer.result.error?.code], expected, args.join(' '));
    assert.equal(await place.state(), before);
  };
  const { hash } = (await call('plan')).result;
  await refused([2, 'consent-needed'], 'apply', '--plan', hash);
  await refused([1, 'plan-outdated'], 'apply', '--plan', '0'.repeat(64), '--yes');
  await place.writeMap(SHOP_MAP.replace('  complaints:', '  complaint:'));
  await refused([1, 'plan-blocked'], 'apply', '--plan', hash, '--yes');
  const plan = await call('plan');
  assert.deepEqual([plan.code, plan.result.problems.map(({ target }: { target: string }) => target)], [1, ['public.complaint']]);
});

test('a map with every kind of problem fails the gate, and each is told by its code and its line', async (t) => {
  const { pool, url, writeMap, callAt } = await workplace(t);
  const login = `reader_${randomBytes(6).toString('hex')}`;
  await pool.query(faultyClinic(login));
  const asReader = new URL(url.reveal());
  asReader.username = login;
  asReader.password = login;
  try {
    await writeMap(faultyMap);
    const { code, result } = await callAt(asReader.href, 'map', 'check');
    assert.equal(code, 1);
    assert.equal(result.ok, false);
    const codes: string[] = result.problems.map((problem: { code: string }) => problem.code);
    assert.deepEqual([...new Set(codes)].toSorted(), Object.keys(problemCatalogue).toSorted());
    for (const { line, message, remedy, file } of result.problems)
      assert.ok(line > 0 && message && remedy && file === 'datamap.yaml');
    await writeMap('version: 1\ntabels: {}\n');
    const broken = await callAt(asReader.href, 'map', 'check');
    assert.deepEqual([broken.code, broken.result.error.code], [2, 'map-invalid']);
    assert.match(broken.result.error.message, /datamap\.yaml:2:1: tabels is not a key of the map .*Did you mean tables\?/);
  } finally {
    await pool.query(`drop owned by ${login}; drop role ${login}`);
  }
});

test('Chinook goes the whole way with a map made from the names of its columns', { skip: skipped }, async (t) => {
  const place = await workplace(t);
  await importSqlite(place, join(SHARED, 'sqlite', 'chinook.sqlite'));
  const customer = { table: 'public."Customer"', key: 'CustomerId', label: 'LastName' };
  const employee = { table: 'public."Employee"', key: 'EmployeeId', label: 'LastName' };
  const catalog = await readCatalog(place.pool, { schemas: ['public'] });
  await place.writeMap(JSON.stringify(mapByName(catalog, { customer, employee }), null, 2));
  await wholeWay(place, 'public."Customer"');
});

test(
  'Northwind goes the whole way on PostgreSQL 15 with a map made from the names of its columns',
  { skip: skipped === false && fifteen === undefined ? 'skipped: PostgreSQL 15 not present' : skipped },
  async (t) => {
    const place = await workplace(t, fifteen);
    const client = await place.pool.connect();
    await client.query(readFileSync(join(SHARED, 'schemas', 'northwind.sql'), 'utf8'));
    // The dump empties the search path of its session.
    client.release(true);
    const customer = { table: 'public.customers', key: 'customer_id', label: 'contact_name' };
    const employee = { table: 'public.employees', key: 'employee_id', label: 'last_name' };
    const catalog = await readCatalog(place.pool, { schemas: ['public'] });
    await place.writeMap(JSON.stringify(mapByName(catalog, { customer, employee }), null, 2));
    await wholeWay(place, 'public.orders');
  },
);

async function importSqlite({ call }: Pick<Workplace, 'call'>, file: string): Promise<void> {
  const { code, result } = await call('import', 'sqlite', file, '--yes');
  assert.equal(code, 0, JSON.stringify(result));
}

type Step = {
  readonly id: string;
  readonly kind: string;
  readonly target: string;
  readonly reversible: boolean;
  readonly locks: readonly object[];
};

/** From a map that fits through everything that can be asked of it to the schema as it was. Answers the steps of the plan. */
async function wholeWay({ call, pool, state }: Workplace, table: string): Promise<{ readonly steps: readonly Step[] }> {
  const before = await state();
  await readEverything(call);
  const { code, result: plan } = await call('plan');
  assert.equal(code, 0);
  assert.ok(plan.steps.length > 0);
  for (const step of plan.steps) {
    const { id, kind, target, reversible, rows, locks, sql } = step;
    assert.deepEqual(
      [id, kind, target, reversible, rows].map((each) => typeof each),
      ['string', 'string', 'string', 'boolean', 'number'],
    );
    assert.ok(locks.length > 0 && sql.length > 0, id);
  }
  assert.equal(await state(), before, 'looking changes nothing');

  const applied = await call('apply', '--plan', plan.hash, '--author', 'Ada', '--yes');
  assert.deepEqual([applied.code, applied.result.steps.length], [0, plan.steps.length], applied.stderr);
  const [history, difference] = await Promise.all([call('map', 'history'), call('map', 'diff')]);
  const versions = history.result.versions.map(({ author, number }: Record<string, unknown>) => [author, number]);
  assert.deepEqual([versions, difference.result.changes], [[['Ada', applied.result.mapVersion]], []]);
  const [gate, watch] = await Promise.all([call('map', 'check'), call('status')]);
  assert.deepEqual([gate.code, gate.result.problems], [0, []]);
  assert.deepEqual([watch.code, watch.result.ok, watch.result.drift, watch.result.pending], [0, true, [], []]);
  const standing = await state();
  assert.deepEqual((await call('apply', '--yes')).result.steps, [], 'apply twice is apply once');
  assert.equal(await state(), standing);

  await pool.query(`alter table ${table} add column "Gift Note" text`);
  const column = `${table}."Gift Note"`;
  const [red, drifted] = await Promise.all([call('map', 'check'), call('status')]);
  assert.deepEqual([red.code, red.result.problems.map(({ column: name }: { column: string }) => name)], [1, [column]]);
  assert.deepEqual(
    [drifted.code, drifted.result.ok, drifted.result.drift.map(({ change, target }: Record<string, string>) => [change, target])],
    [1, false, [['added', column]]],
  );
  await pool.query(`alter table ${table} drop column "Gift Note"`);
  assert.deepEqual((await call('status')).result.drift, []);

  const out = await call('unapply', '--no-wait', '--yes');
  assert.deepEqual([out.code, out.result.restored, out.result.changedSince], [0, true, []], out.stderr);
  assert.equal(await state(), before);
  return { steps: plan.steps };
}

async function readEverything(call: Workplace['call']): Promise<void> {
  const [checked, { result: shown }, fides, dpv] = await Promise.all([
    call('map', 'check'),
    call('map', 'show', '--graph'),
    call('map', 'export', '--format', 'fides'),
    call('map', 'export', '--format', 'dpv'),
  ]);
  assert.deepEqual([checked.code, checked.result.ok, checked.result.problems], [0, true, []]);
  assert.ok(shown.subjects.length >= 2 && shown.tables.length >= 5);
  const places = new Set(shown.graph.nodes.map(({ id }: { id: string }) => id));
  for (const { from, to } of shown.graph.edges) assert.ok(places.has(from) && places.has(to), `${from} -> ${to}`);
  for (const { table } of shown.tables)
    assert.ok(fides.result.document.includes(table.split('.').at(-1).replaceAll('"', '')), table);
  assert.ok(JSON.stringify(dpv.result.document).includes('dpv:hasPersonalData'));
}

function makeShop(file: string): string {
  const source = new DatabaseSync(file);
  try {
    source.exec(`
      CREATE TABLE employees ("Employee Id" INTEGER PRIMARY KEY, "Full Name" TEXT NOT NULL,
        "Reports To" INTEGER REFERENCES employees ("Employee Id"));
      CREATE TABLE customers (id INTEGER PRIMARY KEY, "First Name" TEXT NOT NULL, "Last Name" TEXT NOT NULL,
        email TEXT NOT NULL UNIQUE, "Support Rep" INTEGER REFERENCES employees ("Employee Id"));
      CREATE TABLE "Invoices" (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers (id),
        branch TEXT NOT NULL, issued_on DATE NOT NULL, total REAL NOT NULL);
      CREATE TABLE "Invoice Lines" (invoice_id INTEGER NOT NULL REFERENCES "Invoices" (id), line INTEGER NOT NULL,
        item TEXT NOT NULL, PRIMARY KEY (invoice_id, line));
      CREATE TABLE complaints (id INTEGER PRIMARY KEY, invoice_id INTEGER NOT NULL, line INTEGER NOT NULL, words TEXT,
        FOREIGN KEY (invoice_id, line) REFERENCES "Invoice Lines" (invoice_id, line));
      INSERT INTO employees VALUES (1, 'Grace Boss', NULL), (2, 'Hal Rep', 1);
      INSERT INTO customers VALUES (1, 'Zoë', 'O''Brien', 'zoe@example.org', 2), (2, '太郎', '田中', 'taro@example.org', NULL);
      INSERT INTO "Invoices" VALUES (1, 1, 'north', '2026-01-31', 9.5), (2, 2, 'south', '2026-02-28', 3.25);
      INSERT INTO "Invoice Lines" VALUES (1, 1, 'a song'), (1, 2, 'an album'), (2, 1, 'a song');
      INSERT INTO complaints VALUES (1, 1, 2, 'the album skips');
    `);
  } finally {
    source.close();
  }
  return file;
}

const SHOP_MAP = `version: 1
controller: { name: Riverside Records, contact: privacy@example.org }
purposes:
  sale: { use: essential.service, basis: contract, retention: 10y }
  work: { use: essential.service, basis: contract, retention: 3y }
subjects:
  customer: { table: customers, key: id, find_by: [email], label: Last Name }
  employee: { table: employees, key: Employee Id, label: Full Name }
tables:
  employees:
    purposes: [work]
    columns:
      Employee Id: { category: user.unique_id }
      Full Name: { category: user.name }
      Reports To: { category: user.unique_id }
  customers:
    purposes: [sale]
    of: { employee: { path: '"Support Rep"', meaning: created_by } }
    compliance: columns
    hide_deleted: true
    columns:
      id: { category: user.unique_id }
      First Name: { category: user.name, erase: { replace: Erased } }
      Last Name: { category: user.name, erase: { replace: Erased } }
      email: { category: user.contact.email, erase: hash }
      Support Rep: { category: user.unique_id }
  '"Invoices"':
    of: { customer: customer_id }
    tenant: { column: branch }
    isolate: true
    retention: { after: issued_on, keep: 10y, then: delete, cite: tax code }
    columns:
      id: { category: user.unique_id }
      customer_id: { category: user.unique_id }
      branch: { category: none, note: where it was sold }
      issued_on: { category: none, note: day of the sale }
      total: { category: user.financial }
  '"Invoice Lines"':
    of: { customer: invoice_id -> "Invoices".customer_id }
    compliance: side-table
    columns:
      invoice_id: { category: user.unique_id }
      line: { category: none, note: number of the line }
      item: { category: user.behavior.purchase_history }
  complaints:
    of: { customer: '[invoice_id, line] -> "Invoice Lines".invoice_id -> "Invoices".customer_id' }
    columns:
      id: { category: user.unique_id }
      invoice_id: { category: user.unique_id }
      line: { category: none, note: number of the line }
      words: { category: user.content, free_text: true }
`;
