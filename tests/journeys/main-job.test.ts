import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { safekeep, temporaryHome } from 'safekeep/testing';

type Report = {
  readonly steps: readonly { readonly name: string; readonly detail: string }[];
  readonly files: Readonly<Record<string, string>>;
};

async function workplace(t: TestContext) {
  const folder = await temporaryHome(t);
  const home = join(folder, 'home');
  // What `demo --json` prints, whose schema its own command declares.
  const demo = async (...args: string[]): Promise<Report> => {
    const { code, stdout, stderr } = await safekeep([
      'demo',
      ...args,
      '--home',
      home,
      '--map',
      join(folder, 'datamap.yaml'),
      '--json',
    ]);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as Report;
  };
  const unapply = () =>
    safekeep(['unapply', '--no-wait', '--yes', '--home', home, '--map', join(folder, 'datamap.yaml'), '--json']).then(
      ({ code, stdout, stderr }) => {
        assert.equal(code, 0, stderr);
        return JSON.parse(stdout) as { readonly before: readonly string[]; readonly restored: boolean };
      },
    );
  return { folder, home, demo, unapply };
}

function told({ steps }: Report): Readonly<Record<string, string>> {
  return Object.fromEntries(steps.map(({ name, detail }) => [name, detail]));
}

// Three times the whole of it.
test(
  'the main job goes from a file to proven protection, and is found done when it is run again',
  { timeout: 300_000 },
  async (t) => {
    const { demo, home, unapply } = await workplace(t);
    const first = await demo();
    assert.deepEqual(
      first.steps.map(({ name }) => name),
      ['database', 'schema', 'import', 'scan', 'map', 'apply', 'encrypt', 'work', 'export', 'erase', 'proof', 'log', 'doctor'],
    );
    const said = told(first);
    assert.match(said['map'] ?? '', /every column is classified/);
    assert.match(said['encrypt'] ?? '', /public\.patients\.ssn/);
    assert.match(said['work'] ?? '', /changed 20 records through the SDK and read \d+ encrypted values/);
    assert.match(said['erase'] ?? '', /\d+ masked, .*in one transaction, counted again/);
    const { rows } = JSON.parse(readFileSync(first.files['certificate'] ?? '', 'utf8')).document ?? {};
    assert.ok(rows.count > 0);
    assert.match(
      said['encrypt'] ?? '',
      /\d+ more of these kinds stand in clear, since a first look takes one of each kind: .*\w\.\w.*; each with `npx safekeep encrypt/,
    );
    assert.match(said['proof'] ?? '', /2 signed paper/);
    assert.match(said['log'] ?? '', /no fault/);
    assert.deepEqual(Object.keys(first.files).toSorted(), ['certificate', 'checkpoint', 'export', 'map']);
    for (const file of Object.values(first.files)) assert.ok(existsSync(file), file);

    const second = told(await demo());
    // What the first run put beside columns is not found as somebody's.
    assert.equal(second['scan'], said['scan']);
    assert.match(second['import'] ?? '', /came over before/);
    assert.match(second['erase'] ?? '', /was erased before/);
    assert.match(second['log'] ?? '', /no fault/);

    const out = await unapply();
    assert.equal(out.restored, true);
    assert.match(out.before.join('\n'), /public\.patients\.ssn: plaintext is back, \d+ values/);
    const folders = readdirSync(join(home, 'audit')).filter((name) => name.startsWith('log-default-'));
    assert.deepEqual([folders.length, existsSync(join(home, 'audit', folders[0] ?? '', 'checkpoint'))], [1, true]);
    const again = told(await demo());
    assert.match(again['encrypt'] ?? '', /public\.patients\.ssn/);
    assert.match(again['log'] ?? '', /no fault/);
  },
);

test('of a file of somebody’s own nobody is erased unasked, and whoever is named is', async (t) => {
  const { folder, home, demo } = await workplace(t);
  const shop = join(folder, 'shop.db');
  const database = new DatabaseSync(shop);
  database.exec(`CREATE TABLE customers (id INTEGER PRIMARY KEY, full_name TEXT NOT NULL, email TEXT, phone TEXT,
      passport_number TEXT GENERATED ALWAYS AS ('P' || id) STORED);
    CREATE TABLE returned (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers (id), note TEXT);
    INSERT INTO customers VALUES (1, 'Ada Quennell', 'ada.quennell@example.org', '+44 20 7946 0001'), (2, 'Bo Lindqvist', 'bo@example.org', NULL);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers (id), note TEXT);
    INSERT INTO orders VALUES (1, 1, 'by the door'), (2, 2, NULL)`);
  database.close();
  const first = told(await demo('--sqlite', shop));
  assert.match(first['erase'] ?? '', /planned only/);
  assert.match(first['export'] ?? '', /^customer:2: 2 row\(s\) of 2 table\(s\), signed and sealed/);
  assert.match(first['erase'] ?? '', /^customer:1: 2 row\(s\) of 2 table\(s\), planned only/);
  assert.equal(first['encrypt'], 'no column of a kind that is encrypted unasked', 'what is generated cannot be encrypted');
  const named = told(await demo('--sqlite', shop, '--erase', 'customer:1'));
  assert.match(named['erase'] ?? '', /^customer:1: .*masked.*in one transaction/);
  assert.match(named['export'] ?? '', /^customer:2 was exported before/);
  assert.equal(readdirSync(join(home, 'exports')).filter((name) => name.endsWith('.sealed')).length, 1);
  assert.match(
    told(await demo('--sqlite', shop, '--erase', 'customer:1'))['erase'] ?? '',
    /^customer:1 was erased before, on 2.*\(erasure-[^ ]+\.json\); what came since/,
  );
  // The import stands in the log as whoever types the command has it there.
  const { stdout } = await safekeep(['audit', 'search', '--json', '--home', home, '--map', join(folder, 'datamap.yaml')]);
  assert.match(stdout, /import-sqlite-done/);
});

test('a person who cannot be named, or who is not there, is told before anything is applied', async (t) => {
  const { folder, home } = await workplace(t);
  const where = ['--yes', '--home', home, '--map', join(folder, 'datamap.yaml'), '--json'];
  const shop = join(folder, 'shop.db');
  const database = new DatabaseSync(shop);
  database.exec(`CREATE TABLE customers (id INTEGER PRIMARY KEY, full_name TEXT NOT NULL, email TEXT);
    INSERT INTO customers VALUES (1, 'Ada Quennell', 'ada.quennell@example.org')`);
  database.close();
  const unnamed = await safekeep(['demo', '--sqlite', shop, '--erase', 'Ada', ...where]);
  assert.equal(unnamed.code, 2);
  assert.match(unnamed.stdout, /"subject-invalid"/);
  assert.equal(existsSync(join(home, 'embedded')), false);
  const unknown = await safekeep(['demo', '--sqlite', shop, '--erase', 'astronaut:1', ...where]);
  assert.equal(unknown.code, 2);
  assert.match(unknown.stdout, /"subject-type-unknown"/);
  const nobody = await safekeep(['demo', '--sqlite', shop, '--erase', 'customer:9', ...where]);
  assert.equal(nobody.code, 1);
  assert.match(nobody.stdout, /"subject-unknown"/);
  const status = await safekeep(['status', ...where.slice(1)]);
  assert.match(status.stdout, /"applied": 0\b/);
});
