import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { waitForWriters } from '../store/guards.ts';
import { DIFFICULT, DIFFICULT_MAP, workbench, type Workbench } from '../testing/workbench.ts';
import { exportSubject, type ExportFormat } from './export-subject.ts';
import { findSubjects } from './find-subject.ts';
import { parseSubject, type ErasureGround } from './ground.ts';

const none = { category: 'none' };
const PEOPLE = `create table people (id bigint, name text not null); insert into people values (1, 'Ada Byron'), (2, 'Ben Cole');`;

async function practice(t: TestContext): Promise<Workbench> {
  return await workbench(t, { schema: DIFFICULT, map: DIFFICULT_MAP });
}

/** A table of people of its own, and what hangs on it. */
async function people(t: TestContext, more: string, tables: Readonly<Record<string, object>> = {}): Promise<Workbench> {
  return await workbench(t, {
    schema: `${PEOPLE} ${more}`,
    map: {
      version: 1,
      tenant: 'fixed',
      subjects: { person: { table: 'public.people', key: 'id', find_by: ['name'], label: 'name' } },
      tables: { 'public.people': { columns: { id: { category: 'user.unique_id' }, name: { category: 'user.name' } } }, ...tables },
    },
  });
}

/** Everything of every table, so that nothing can have changed unseen. */
async function whole({ pool, rows }: Workbench): Promise<readonly (readonly string[])[]> {
  const { rows: tables } = await pool.query<{ name: string }>(
    `select c.oid::regclass::text as name from pg_class as c where c.relkind in ('r', 'p')
       and (c.relnamespace = 'public'::regnamespace or c.oid in ('safekeep.erasures'::regclass)) order by 1`,
  );
  return await Promise.all(tables.map(async ({ name }) => await rows(name)));
}

/** An export of a person, and whether a file came of it. */
function exporting(bench: Workbench, subject: string, { format = 'json', ground = bench.ground }: Exporting = {}) {
  const out = join(bench.folder, 'export');
  const order = { ...parseSubject(ground.map, subject), format, window: { from: null, to: null }, out };
  return { out, done: exportSubject({ ...ground, directory: bench.folder, key: randomBytes(32) }, order) };
}
type Exporting = { readonly format?: ExportFormat; readonly ground?: ErasureGround };

test('what names no person is refused: no type, an empty key, too many parts, a value of another kind', async (t) => {
  const bench = await practice(t);
  const before = await whole(bench);
  for (const text of ['42', ':42', 'patient:', 'patient:42,43', 'patient:4\\2'])
    assert.throws(() => parseSubject(bench.ground.map, text), { code: 'subject-invalid' }, text);
  for (const text of ['patient:nobody', 'patient:99999999999999999999']) {
    await assert.rejects(bench.plan(text), { code: 'subject-invalid' }, text);
    const { out, done } = exporting(bench, text);
    await assert.rejects(
      done,
      (error: Error) => error.message.startsWith('That names no person') && !error.message.includes('nobody'),
    );
    assert.equal(existsSync(out), false);
  }
  assert.deepEqual(await whole(bench), before);
});

test('a key that several people have is refused, and serves once it is unique', async (t) => {
  const bench = await people(t, `insert into people values (1, 'Ada Twin')`);
  const before = await whole(bench);
  await assert.rejects(bench.plan('person:1'), { code: 'subject-key-ambiguous' });
  const { out, done } = exporting(bench, 'person:1');
  await assert.rejects(done, { code: 'subject-key-ambiguous' });
  assert.equal(existsSync(out), false);
  assert.deepEqual(await whole(bench), before);
  await bench.pool.query(`update people set id = 3 where name = 'Ada Twin'`);
  assert.equal((await bench.erase('person:1')).state, 'done');
  assert.deepEqual(await bench.rows('people', 'id > 1'), ['(2,"Ben Cole")', '(3,"Ada Twin")']);
});

test('a circle that goes from row to row without end is refused, and a path that leads to fewer is followed', async (t) => {
  const bench = await people(
    t,
    `alter table people add primary key (id);
     create table links (id bigint primary key, person_id bigint references people, before_id bigint references links, what text);
     insert into links values (1, 1, null, 'first');
     insert into links select n, null, n - 1, 'link' from generate_series(2, 10100) as n; create index on links (before_id); analyze`,
    {
      'public.links': {
        of: {
          person: [
            { path: 'person_id', meaning: 'owns' },
            { path: 'before_id -> links.person_id', meaning: 'owns' },
          ],
        },
        columns: { id: none, person_id: none, before_id: none, what: { category: 'user' } },
      },
    },
  );
  const before = await whole(bench);
  await assert.rejects(bench.plan('person:1'), (error: Error) => {
    assert.match(error.message, /lead to more than 10000 steps in a circle for one person/);
    return 'code' in error && error.code === 'subject-too-large';
  });
  assert.deepEqual(await whole(bench), before);
  await bench.pool.query('update links set before_id = null where id = 5000');
  assert.equal((await bench.erase('person:1')).state, 'done');
  assert.equal((await bench.rows('links', `what = 'link'`)).length, 10_100 - 4_999);
});

test('a map with a path that leads nowhere is refused before anything is exported, counted or erased', async (t) => {
  const bench = await practice(t);
  const { hash } = await bench.plan('patient:42');
  const visits = DIFFICULT_MAP.tables['public.visits'];
  const broken = { ...DIFFICULT_MAP.tables, 'public.visits': { ...visits, of: { patient: 'doctor_id' } } };
  const ground = await bench.refresh({ ...DIFFICULT_MAP, tables: broken });
  const before = await whole(bench);
  await assert.rejects(bench.plan('patient:42', 'anonymise', ground), { code: 'map-does-not-fit' });
  await assert.rejects(bench.approve('patient:42', hash, { ground }), { code: 'map-does-not-fit' });
  const { out, done } = exporting(bench, 'patient:42', { ground });
  await assert.rejects(done, { code: 'map-does-not-fit' });
  assert.equal(existsSync(out), false);
  assert.deepEqual(await whole(bench), before);
});

test('a person of a table, or by a key, that is not there is told to be a fault of the map and not of what was typed', async (t) => {
  const bench = await practice(t);
  const { patient } = DIFFICULT_MAP.subjects;
  for (const [change, told] of [
    [{ table: 'public.ghosts' }, /there is no table public\.ghosts/],
    [{ key: 'ghost' }, /public\.patients has no column ghost/],
  ] as const) {
    const ground = await bench.refresh({
      ...DIFFICULT_MAP,
      subjects: { ...DIFFICULT_MAP.subjects, patient: { ...patient, ...change } },
    });
    await assert.rejects(bench.plan('patient:42', 'anonymise', ground), (error: Error & { code?: string }) => {
      assert.match(error.message, told);
      return error.code === 'map-does-not-fit';
    });
  }
});

test('people whom the map has all tenants share are nobody’s to find, export or erase: another tenant has other holds', async (t) => {
  const bench = await practice(t);
  const { hash } = await bench.plan('patient:42');
  const patients = { ...DIFFICULT_MAP.tables['public.patients'], tenant: 'shared' };
  const map = { ...DIFFICULT_MAP, tables: { ...DIFFICULT_MAP.tables, 'public.patients': patients } };
  const ground = await bench.refresh(map);
  const unfit = { code: 'map-does-not-fit', message: /public\.patients: people are of one tenant/ };
  await assert.rejects(bench.plan('patient:42', 'anonymise', ground), unfit);
  await assert.rejects(bench.approve('patient:42', hash, { ground }), unfit);
  await assert.rejects(findSubjects(ground, 'ada@example.org', { limit: 5, reveal: false }), unfit);
  const { out, done } = exporting(bench, 'patient:42', { ground });
  await assert.rejects(done, unfit);
  assert.equal(existsSync(out), false);
});

test('an erasure that is blocked erases nothing when it is approved all the same, in one transaction or in chunks', async (t) => {
  const bench = await practice(t);
  await bench.pool.query('alter table visits add mass_index integer; update visits set mass_index = 27 where patient_id = 42');
  const small = await bench.refresh();
  for (const ground of [small, { ...small, rowsAtOnce: 2 }]) {
    const { hash, blocked } = await bench.plan('patient:42', 'anonymise', ground);
    assert.ok(blocked.length > 0);
    const before = await whole(bench);
    await assert.rejects(bench.approve('patient:42', hash, { ground }), (error: Error) => {
      assert.match(error.message, /Nothing was erased:\npublic\.visits: .*mass_index/);
      return 'code' in error && error.code === 'erasure-blocked';
    });
    assert.deepEqual(await whole(bench), before);
  }
  const { 'public.visits': visits, ...others } = DIFFICULT_MAP.tables;
  const columns = { ...visits.columns, mass_index: { category: 'user.health_and_medical' } };
  const mended = await bench.refresh({ ...DIFFICULT_MAP, tables: { ...others, 'public.visits': { ...visits, columns } } });
  assert.equal((await bench.erase('patient:42', 'anonymise', mended)).state, 'kept');
});

test('where transactions begin as REPEATABLE READ no erasure is planned or carried out; the remedy makes it possible', async (t) => {
  const bench = await practice(t);
  const { hash } = await bench.plan('patient:42');
  const before = await whole(bench);
  const { rows } = await bench.pool.query<{ name: string }>('select current_database() as name');
  const begun = async (setting: string): Promise<ErasureGround> => {
    await bench.pool.query(`alter ${setting}`);
    return { ...bench.ground, database: await bench.open() };
  };
  for (const level of ['repeatable read', 'serializable']) {
    const ground = await begun(`database ${rows[0]?.name} set default_transaction_isolation = '${level}'`);
    await assert.rejects(bench.plan('patient:42', 'anonymise', ground), { code: 'isolation-unfit' }, level);
    await assert.rejects(bench.approve('patient:42', hash, { ground }), { code: 'isolation-unfit' }, level);
  }
  assert.deepEqual(await whole(bench), before);
  const remedied = `role current_user in database ${rows[0]?.name} set default_transaction_isolation = 'read committed'`;
  assert.equal((await bench.approve('patient:42', hash, { ground: await begun(remedied) })).state, 'kept');
});

test('while a transaction that may have added rows is open nothing is counted again, and what it may have written to is named', async (t) => {
  const bench = await people(t, 'create table clicks (person_id bigint, ip text)');
  const writer = await bench.pool.connect();
  const counting = await bench.pool.connect();
  try {
    await writer.query(`begin; insert into clicks values (1, '203.0.113.1')`);
    await assert.rejects(waitForWriters(counting, ['public.clicks'], 0), (error: Error) => {
      assert.match(error.message, /wrote to one of public\.clicks/);
      return 'code' in error && error.code === 'erasure-unsettled';
    });
    await writer.query('commit');
    await waitForWriters(counting, ['public.clicks'], 0);
  } finally {
    writer.release(true);
    counting.release();
  }
});

test('a column of ciphertext without an index is searched by nobody, and said to be so where nothing else is left', async (t) => {
  const bench = await people(
    t,
    `alter table people add primary key (id); alter table people add name_encrypted bytea;
     update people set name_encrypted = '\\x01'; alter table people drop column name`,
  );
  await assert.rejects(findSubjects(bench.ground, 'Ada Byron', { limit: 20 }), (error: Error) => {
    assert.match(error.message, /public\.people\.name has no index/);
    return 'code' in error && error.code === 'search-unserved';
  });
});

test('nobody found says of a column whose plaintext was taken away that it was not looked at', async (t) => {
  const bench = await people(
    t,
    `alter table people add primary key (id); alter table people add name_encrypted bytea; update people set name_encrypted = '\\x01'`,
  );
  const looked = async () => (await findSubjects(bench.ground, 'Nobody Known', { limit: 20 })).searched;
  assert.deepEqual(await looked(), ['person by id, name'], 'the plaintext still stands');
  await bench.pool.query('alter table people alter column name drop not null; update people set name = null where id = 1');
  assert.deepEqual(await looked(), ['person by id; not by name: encrypted, and without an index of the whole value']);
});

test('a PDF of more rows than anybody reads is refused, and no file is left; the other formats take them', async (t) => {
  const bench = await practice(t);
  await bench.pool.query(`insert into visits (id, patient_id, reason) select n, 42, 'r' from generate_series(1000, 21000) as n`);
  const pdf = exporting(bench, 'patient:42', { format: 'pdf' });
  await assert.rejects(pdf.done, { code: 'export-too-large' });
  assert.equal(existsSync(pdf.out), false);
  const json = exporting(bench, 'patient:42');
  await json.done;
  assert.ok(existsSync(json.out));
});
