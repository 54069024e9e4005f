import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { codeOf, parseColumnName, systemClock } from '@safekeep/core';
import { testServers } from '@safekeep/postgres/testing';
import {
  changeIndexes,
  decryptColumns,
  decryptField,
  encryptField,
  encryptFields,
  fieldKeys,
  fieldKeySource,
  finishField,
  finishFields,
  rotateField,
  rotateFields,
  type FieldGround,
  type FieldPlan,
} from '../../encryption/index.ts';
import { fileRing } from '../testing/file-ring.ts';
import { workbench, type Workbench } from '../testing/workbench.ts';
import { auditCapture } from './capture.ts';

const COLUMN = parseColumnName('public.patients.email');
const ROWS = 400;
const plain = { category: 'none', note: 'looked at' };
const tablesOf = (email = 'none') => ({
  'public.patients': {
    columns: {
      id: plain,
      email: { category: 'user.contact.email', ...(email === 'none' ? {} : { protect: email }) },
      visits: plain,
    },
  },
});
/** With a second column to encrypt. */
const withNote = (email = 'none', note = 'none') => ({
  'public.patients': {
    columns: {
      ...tablesOf(email)['public.patients'].columns,
      note: { category: 'user.contact.address', ...(note === 'none' ? {} : { protect: note }) },
    },
  },
});
const parts = { subjects: { patient: { table: 'public.patients', key: 'id' } } };
const agree = async (): Promise<void> => undefined;

async function audited(t: TestContext, { key = 'primary key', divided = '', server = testServers()[0], baselines = false } = {}) {
  const bench = await workbench(t, {
    setUp: `create table patients (id integer ${key}, email text, visits integer not null default 0) ${divided};
      insert into patients (id, email) select n, 'before' || n || '@plain.example' from generate_series(1, ${ROWS}) as n`,
    server,
    baselines,
  });
  await bench.capture(tablesOf(), parts);
  const ring = fileRing({ database: bench.database, home: bench.home, clock: systemClock });
  t.after(async () => ring.forget());
  const keys = fieldKeys(fieldKeySource(ring));
  const ground: FieldGround = {
    database: bench.database,
    tenant: 'default',
    clock: systemClock,
    signal: new AbortController().signal,
    observe: () => undefined,
    keys,
    follows: [auditCapture],
    leaseMs: 0,
    patience: { tries: 100, lockTimeoutMs: 200, pauseMs: 10 },
  };
  const order = (mode: 'client' | 'database' = 'client') =>
    ({ column: COLUMN, mode, search: [], card: null, acceptLeak: false }) as const;
  return { ...bench, ground, order, keys };
}

type Audited = Awaited<ReturnType<typeof audited>>;

async function whole(bench: Workbench): Promise<void> {
  while ((await bench.sequence()).state !== 'done');
  const { faults } = await bench.verify();
  assert.deepEqual(faults, []);
}

type Columns = Readonly<Record<string, string | Buffer | null | undefined>>;

/** Writers who know of the encryption from the moment that it is told of, as clients of the SDK; they stop for a look at the log. */
class Writers {
  writes = 0;
  readonly #bench: Audited;
  #stop = new AbortController();
  #running: Promise<void>[] = [];

  constructor(bench: Audited) {
    this.#bench = bench;
  }

  start(): void {
    this.#stop = new AbortController();
    this.#running = [0, 1].map((writer) => this.#write(writer));
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
  }

  /** At least so many more are written before it answers. */
  async more(count: number): Promise<void> {
    for (const goal = this.writes + count; this.writes < goal;) await new Promise((done) => setImmediate(done));
  }

  async #write(writer: number): Promise<void> {
    for (let turn = 0; !this.#stop.signal.aborted; turn += 1) {
      const id = 1 + writer + 2 * Math.floor(Math.random() * (ROWS / 2));
      const value = turn % 7 === 0 ? null : `w${writer}-${this.writes}@plain.example`;
      try {
        if (turn % 5 === 0) await this.#replace(id, await this.#columns(value));
        else await this.#update(id, await this.#columns(value));
        this.writes += 1;
      } catch (error) {
        // The column changed since it was asked what it is: as with the SDK, the transaction is run again.
        if (!['42703', '42501', '23514'].includes(codeOf(error) ?? '')) throw error;
      }
    }
  }

  async #update(id: number, columns: Columns): Promise<void> {
    const sets = Object.keys(columns).map((name, at) => `${name} = $${at + 2}`);
    await this.#bench.pool.query(`update patients set visits = visits + 1, ${sets.join(', ')} where id = $1`, [
      id,
      ...Object.values(columns),
    ]);
  }

  async #replace(id: number, columns: Columns): Promise<void> {
    const names = Object.keys(columns);
    const client = await this.#bench.pool.connect();
    try {
      await client.query('begin');
      await client.query('delete from patients where id = $1', [id]);
      await client.query(
        `insert into patients (id, ${names.join(', ')}) values ($1, ${names.map((_, at) => `$${at + 2}`).join(', ')})`,
        [id, ...Object.values(columns)],
      );
      await client.query('commit');
    } catch (error) {
      await client.query('rollback');
      throw error;
    } finally {
      client.release();
    }
  }

  /** As the SDK would write a value now: both beside each other while plaintext is taken, then ciphertext alone. */
  async #columns(value: string | null): Promise<Columns> {
    const { rows } = await this.#bench.pool.query<{ phase: string; direction: string; field_id: string; key_scope: string }>(
      `select f.* from safekeep.fields as f where phase not in ('planned', 'added')`,
    );
    const [known] = rows;
    if (known === undefined) return { email: value };
    const field = { id: known.field_id as never, tenant: 'default', keyScope: known.key_scope, valueType: 'text' } as const;
    const sealed = value === null ? null : (await this.#bench.keys.seal(field, [value]))[0];
    const isStrict = ['nulled', 'checked', 'finished'].includes(known.phase);
    return isStrict ? { email_encrypted: sealed } : { email: value, email_encrypted: sealed };
  }
}

for (const server of testServers()) {
  test(`the log of a table is whole before, while and after a column of it is encrypted, with two writers, and no step of ours brings plaintext into it (PostgreSQL ${server.name})`, async (t) => {
    const bench = await audited(t, { server });
    const writers = new Writers(bench);
    const between = async (step: string, run: () => Promise<unknown>): Promise<void> => {
      const failures: string[] = [];
      writers.start();
      try {
        await writers.more(10);
        await run();
        await writers.more(10);
      } finally {
        await writers.stop();
      }
      await whole(bench).catch((error: unknown) => failures.push(`${step}: ${String(error)}`));
      assert.deepEqual(failures, []);
      // With the map as the command writes it.
      const { rows } = await bench.pool.query<{ mode: string }>('select mode from safekeep.fields');
      const intent = bench.intent(tablesOf(rows[0]?.mode), parts);
      assert.deepEqual((await bench.status(intent)).drift, [], step);
      assert.deepEqual((await bench.plan(intent)).steps, [], `${step}: an apply has nothing to do`);
    };
    const { pool, ground } = bench;
    const stopAt = (phase: string): FieldGround => {
      const stop = new AbortController();
      let committed = 0;
      const observe: FieldGround['observe'] = (moment, field) => {
        if (moment === 'committed' && field.phase === phase && (committed += 1) === 2) stop.abort();
      };
      return { ...ground, signal: stop.signal, observe };
    };
    const stopped = (run: Promise<unknown>) => assert.rejects(run, { name: 'AbortError' });
    await between('before', async () => undefined);
    await between('columns', () => encryptField(ground, { ...bench.order(), until: 'dual-write' }, agree));
    await between('backfilling', () => stopped(encryptField(stopAt('backfilling'), bench.order(), agree)));
    await between('encrypt', () => encryptField(ground, bench.order(), agree));
    await between('nulling', () => stopped(finishField(stopAt('nulled'), COLUMN, agree)));
    await between('finish', () => finishField(ground, COLUMN, agree));
    await between('rotate', () => rotateField(ground, COLUMN, { agree, resume: false }));
    const { rows: erased } = await pool.query('update patients set email_encrypted = null where id = 7 returning id');
    await whole(bench);
    await between('opening', () => stopped(decryptField(stopAt('switched'), COLUMN, agree)));
    await between('decrypt', () => decryptField(ground, COLUMN, agree));
    assert.ok(writers.writes > 100);
    assert.ok(erased.length <= 1);

    const own = (await bench.events()).filter(({ actor }) => actor === 'safekeep:encryption');
    assert.ok(own.length > ROWS);
    for (const event of own)
      assert.doesNotMatch(JSON.stringify([event.details, await bench.opened(event)]), /plain\.example/, `event ${event.index}`);
    // And a change that nobody logs is found, also where the column was given back its plaintext.
    await pool.query(`update patients set email = 'after@example.org' where id = 8`);
    await whole(bench);
    await bench.pool.query(
      `begin; set local session_replication_role = replica; update patients set email = 'another@example.org' where id = 8; commit`,
    );
    assert.deepEqual(
      (await bench.verify()).faults.map(({ code }) => code),
      ['row-unexplained'],
    );
  });
}

for (const [name, key, divided] of [
  ['with a key that may be there twice while a statement runs', 'primary key deferrable', ''],
  ['without a key', '', ''],
  [
    'in partitions',
    'primary key',
    `partition by range (id); create table few partition of patients for values from (0) to (100); create table most partition of patients default`,
  ],
] as const) {
  test(`a table ${name} is logged with the ciphertext alone, however many rows a statement changes`, async (t) => {
    const bench = await audited(t, { key, divided });
    await encryptField(bench.ground, { ...bench.order('database'), search: ['exact'], acceptLeak: true }, agree);
    await finishField(bench.ground, COLUMN, agree);
    await bench.pool.query('update patients set email_encrypted = null where id = 1');
    await bench.pool.query('update patients set visits = 2');
    await bench.pool.query('delete from patients where id = 2');
    await whole(bench);
    const events = await bench.events();
    for (const event of events)
      assert.doesNotMatch(JSON.stringify([event.details, await bench.opened(event)]), /plain\.example/, `event ${event.index}`);
    const sealings = events.filter(({ columns }) => columns?.includes('email_encrypted') === true);
    assert.equal(sealings.length, ROWS + 1);
    assert.deepEqual(
      events.at(-1)?.action === 'delete' &&
        (await bench.opened(events.at(-1) ?? assert.fail())).map(({ old }) => Object.keys(old ?? {})),
      [['id', 'email', 'email_encrypted', 'email_exact_index']],
    );
  });
}

test('ciphertext that is edited, and plaintext that is put in its place, with triggers off, are found; plaintext beside it says nothing', async (t) => {
  const bench = await audited(t);
  await encryptField(bench.ground, bench.order(), agree);
  await whole(bench);
  const unseen = (sql: string) => bench.pool.query(`begin; set local session_replication_role = replica; ${sql}; commit`);
  await unseen(`update patients set email = 'x@plain.example' where id = 1`);
  await whole(bench);
  await unseen(`update patients set email_encrypted = (select email_encrypted from patients where id = 3) where id = 2`);
  await unseen(`update patients set email_encrypted = null, email = 'y@plain.example' where id = 4`);
  const { faults } = await bench.verify();
  assert.deepEqual(
    faults.map(({ code, detail }) => [code, /the row (\d+) has other values in ([\w, ]+) than/.exec(detail)?.slice(1, 3)]),
    [
      ['row-unexplained', ['2', 'email_encrypted']],
      ['row-unexplained', ['4', 'email_encrypted']],
    ],
  );
});

test('a column that was encrypted before captures followed is logged right from finish on', async (t) => {
  const bench = await audited(t);
  const { follows: _, ...alone } = bench.ground;
  await encryptField(alone, bench.order(), agree);
  await bench.capture(tablesOf('client'), parts);
  await finishField(bench.ground, COLUMN, agree);
  while ((await bench.sequence()).state !== 'done');
  const own = (await bench.events()).filter(({ actor }) => actor === 'safekeep:encryption');
  assert.equal(own.length, ROWS, 'of each row the plaintext was taken away');
  for (const event of own) assert.doesNotMatch(JSON.stringify(await bench.opened(event)), /plain\.example/);
  const { faults } = await bench.verify();
  assert.deepEqual(faults, []);
});

test('an index that comes and goes keeps the log of the table whole', async (t) => {
  const bench = await audited(t);
  await encryptField(bench.ground, bench.order(), agree);
  for (const order of [{ search: ['exact'] }, { renew: ['exact'] }, { search: [] }] as const) {
    await changeIndexes(bench.ground, COLUMN, { ...order, acceptLeak: true, agree });
    await whole(bench);
    assert.equal((await bench.events()).filter(({ details }) => details?.includes('incomplete') === true).length, 0);
    assert.deepEqual((await bench.plan(bench.intent(tablesOf(), parts))).steps, []);
  }
});

test('a baseline from before is no fault while a column is encrypted and decrypted, and the next apply makes it whole again', async (t) => {
  const bench = await audited(t, { baselines: true });
  const unseen = (sql: string) => bench.pool.query(`begin; set local session_replication_role = replica; ${sql}; commit`);
  const noted = async () => (await bench.verify()).notes.filter((note) => note.includes('its column email was encrypted')).length;
  await bench.pool.query(`update patients set email = 'changed@plain.example' where id = 5`);
  await whole(bench);
  await encryptField(bench.ground, bench.order(), agree);
  await whole(bench);
  assert.equal(await noted(), 1);
  await finishField(bench.ground, COLUMN, agree);
  await whole(bench);
  await bench.capture(tablesOf('client'), parts);
  await whole(bench);
  assert.equal(await noted(), 0);
  await bench.pool.query('update patients set visits = 3 where id = 9');
  await decryptField(bench.ground, COLUMN, agree);
  await whole(bench);
  await bench.capture(tablesOf(), parts);
  await whole(bench);
  assert.equal(await noted(), 0);
  await unseen(`update patients set email = 'x@plain.example' where id = 8; delete from patients where id = 9`);
  assert.deepEqual(
    (await bench.verify()).faults.map(({ code, detail }) => `${code} ${/the row (\d+)/.exec(detail)?.[1]}`).toSorted(),
    ['row-unexplained 8', 'row-unexplained 9'],
  );
});

test('columns of one table that are in different states, together and apart, keep its log whole', async (t) => {
  const bench = await audited(t, { baselines: true });
  await bench.pool.query(
    `alter table patients add column note text; update patients set note = 'note' || id || '@plain.example' where id % 4 > 0; analyze patients`,
  );
  await bench.capture(withNote(), parts);
  const { ground } = bench;
  const NOTE = parseColumnName('public.patients.note');
  const both = [COLUMN, NOTE];
  const orders = both.map((column) => ({ ...bench.order(), column }));
  const own = async () => (await bench.events()).filter(({ actor }) => actor === 'safekeep:encryption').length;
  const moved = async (atMost: number, run: () => Promise<{ readonly stopped: ReadonlyMap<string, unknown> }>): Promise<void> => {
    const before = await own();
    assert.deepEqual([...(await run()).stopped], []);
    await whole(bench);
    assert.ok((await own()) - before <= atMost, 'one event for each row that is written, however many columns go together');
    // A write of the application, and nothing of it lost.
    await bench.pool.query('update patients set visits = visits + 1 where id < 10');
    await whole(bench);
  };
  const stop = new AbortController();
  const observe: FieldGround['observe'] = (moment, field) => {
    if (moment === 'written' && field.phase === 'backfilling') stop.abort();
  };
  await whole(bench);
  const told: string[] = [];
  const agreed = async (plans: readonly FieldPlan[]): Promise<void> => {
    for (const { answers } of plans)
      for (const { object, remedy } of answers) if (object === 'audit of the table') told.push(remedy);
  };
  await assert.rejects(encryptFields({ ...ground, signal: stop.signal, observe }, orders, agreed), { name: 'AbortError' });
  assert.deepEqual(
    [told.length, told.every((each) => each.includes(`an event for each row that is sealed, about ${ROWS},`))],
    [2, true],
  );
  await whole(bench);
  const begun = await own();
  await moved(ROWS - begun, () => encryptFields(ground, orders, () => assert.fail('they were agreed to')));
  assert.equal(await own(), ROWS);
  await moved(ROWS, () => finishFields(ground, [COLUMN], agree));
  await moved(ROWS, () => rotateFields(ground, both, { agree, resume: false }));
  // One of them on its way back while the other has no plaintext, then in again.
  await moved(ROWS, () => decryptColumns(ground, [NOTE], agree));
  await moved(ROWS, () => encryptFields(ground, orders, agree));
  await moved(ROWS, () => finishFields(ground, both, agree));
  await bench.capture(withNote('client', 'client'), parts);
  await whole(bench);
  // And one for each column, which says that its plaintext is back.
  await moved(ROWS + both.length, () => decryptColumns(ground, both, agree));
  await bench.capture(withNote(), parts);
  await whole(bench);
  await bench.pool.query(
    `begin; set local session_replication_role = replica; update patients set note = 'x@plain.example' where id = 5; update patients set email = 'x@plain.example' where id = 6; commit`,
  );
  assert.deepEqual(
    (await bench.verify()).faults.map(({ code, detail }) => `${code} ${/the row (\d+)/.exec(detail)?.[1]}`).toSorted(),
    ['row-unexplained 5', 'row-unexplained 6'],
  );
});
