import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type pg from 'pg';
import {
  encryptField,
  fieldKeys,
  fieldKeySource,
  finishField,
  keysOfHome,
  rotateField,
  type FieldGround,
} from '@safekeep/capabilities/encryption';
import { fixedClock, isSafekeepError, parseColumnName, readConfiguration, type ErrorCode } from '@safekeep/core';
import { unlockBundle, type SealingKey } from '@safekeep/crypto';
import { testDatabase, testServers } from '@safekeep/postgres/testing';
import { safekeep, unlock, wrappedKeys } from '@safekeep/sdk';

const ROWS = 60;
const SET_UP = `
  create table people (id integer primary key, email text, phone text);
  create table others (id integer primary key, email text);
  insert into people select n, 'person' || n || '@example.org', '0700 ' || n from generate_series(1, ${ROWS}) as n;
  insert into others select n, 'other' || n || '@example.org' from generate_series(1, ${ROWS}) as n`;

const agree = async (): Promise<void> => undefined;
const refusedAs =
  (...codes: readonly ErrorCode[]) =>
  (error: unknown): boolean =>
    isSafekeepError(error) && codes.includes(error.code);

/** A database with keys in a home, as an application has them; time stands until a test moves it. */
async function place(t: TestContext, server = testServers()[0]) {
  const made = await testDatabase(undefined, { migrated: true, server });
  const home = await mkdtemp(join(tmpdir(), 'safekeep-attack-'));
  await made.pool.query(SET_UP);
  await made.pool.query(`insert into safekeep.tenants (tenant_id, name) values ('other', 'Another practice')`);
  const configuration = readConfiguration({ flags: {}, environment: {}, file: {}, readFile: () => '' });
  const clock = fixedClock('2026-11-21T10:00:00Z');
  const ring = keysOfHome({ home, configuration, clock, say: () => undefined }, made.database);
  t.after(async () => {
    await ring.close();
    await made[Symbol.asyncDispose]();
    await rm(home, { recursive: true, force: true });
  });
  const keys = fieldKeySource(ring);
  const ground: FieldGround = {
    database: made.database,
    tenant: 'default',
    clock,
    signal: new AbortController().signal,
    observe: () => undefined,
    keys: fieldKeys(keys),
    leaseMs: 0,
  };
  const encrypted = async (name: string, mode: 'client' | 'database', tenant = 'default') => {
    const column = parseColumnName(name);
    const own = { ...ground, tenant };
    await encryptField(own, { column, mode, search: [], card: null, acceptLeak: false }, agree);
    return (await finishField(own, column, agree)).field;
  };
  /** In a transaction that is rolled back; a failure inside leaves it usable. */
  const within = async <Result>(run: (client: pg.PoolClient) => Promise<Result>): Promise<Result> => {
    const client = await made.pool.connect();
    try {
      await client.query('begin');
      return await run(client);
    } finally {
      await client.query('rollback');
      client.release();
    }
  };
  return { ...made, ring, keys, ground, clock, encrypted, within };
}

test('a value opens for its own tenant, field and key only: in the SDK, and in SQL with forged contexts and forged bundles', async (t) => {
  const { pool, keys, encrypted, within } = await place(t);
  const email = await encrypted('public.people.email', 'database');
  const phone = await encrypted('public.people.phone', 'database');
  const theirs = await encrypted('public.others.email', 'database', 'other');
  const { rows } = await pool.query<{ email_encrypted: Buffer }>('select email_encrypted from people where id = 7');
  const sealed = rows[0]?.email_encrypted ?? assert.fail();

  // The keys of one tenant are asked for as another: they are not there, whatever is said of the value.
  const mine = await keys.current('default', email.keyScope);
  await assert.rejects(keys.byId('other', [mine.id]), refusedAs('key-unknown'));
  const asOther = fieldKeys(keys);
  await assert.rejects(asOther.open(theirs, [sealed]), refusedAs('key-unknown'));
  await assert.rejects(asOther.open({ ...email, tenant: 'other' }, [sealed]), refusedAs('key-unknown'));
  await assert.rejects(asOther.open({ ...email, id: phone.id }, [sealed]), refusedAs('sealed-tampered'));

  const opened = async (client: pg.PoolClient): Promise<unknown> =>
    (await client.query('select safekeep.open_value($1) as value', [sealed])).rows[0]?.value;
  const openedAs = (tenant: string): Promise<unknown> =>
    within(async (client) => {
      await unlock(client, { tenant, keys });
      return await opened(client);
    });
  assert.equal(await openedAs('default'), 'person7@example.org');
  // Whoever unlocks what is another's sees nothing of it, and setting the tenant by hand changes nothing.
  assert.equal(await openedAs('other'), null);
  const forged = await within(async (client) => {
    await unlock(client, { tenant: 'other', keys });
    await client.query(`select set_config('safekeep.tenant', 'default', true)`);
    const { rows: seen } = await client.query('select count(email)::integer as n from people_decrypted');
    return seen;
  });
  assert.deepEqual(forged, [{ n: 0 }]);
  // Settings under the names that unlock uses are no keys: what opens is what authenticates.
  const settings = within(async (client) => {
    await client.query('select set_config($1, $2, true)', [`safekeep.key_${mine.id}`, randomBytes(600).toString('hex')]);
    return await opened(client);
  });
  await assert.rejects(settings, /was changed, or moved here/);
  // The right key in a bundle that says another field or tenant.
  const bytes = (key: SealingKey): Buffer => key.keyObject.export();
  for (const [field, tenant] of [
    [phone.id, 'default'],
    [email.id, 'other'],
  ] as const)
    await assert.rejects(
      within(async (client) => {
        const bundle = unlockBundle([{ use: 'seal', id: mine.id, bytes: bytes(mine), field, tenant }]);
        await client.query('select safekeep.unlock($1)', [bundle]);
        return await opened(client);
      }),
      /was changed, or moved here/,
    );
  // Cut out of its row and pasted into another column, it opens for nobody.
  await within(async (client) => {
    await unlock(client, { tenant: 'default', keys });
    await client.query('update people set phone_encrypted = $1 where id = 8', [sealed]);
    await assert.rejects(client.query('select phone from people_decrypted where id = 8'), /was changed, or moved here/);
  });
});

test('a script seals a prepared column from SQL with what the SDK wraps, and ids of keys join the tables of keys', async (t) => {
  const { pool, keys, ground, within } = await place(t);
  const column = parseColumnName('public.people.email');
  const order = { column, mode: 'database', search: [], card: null, acceptLeak: false } as const;
  const { field } = await encryptField(ground, { ...order, until: 'dual-write' }, agree);
  const { id } = await keys.current('default', field.keyScope);
  await assert.rejects(wrappedKeys(pool, { tenant: 'default', keys }), refusedAs('unlock-outside-transaction'));
  const wrapped = await within((client) => wrappedKeys(client, { tenant: 'default', keys }));
  const client = await pool.connect();
  try {
    await client.query(`set safekeep.tenant = 'default'`);
    const call = `call safekeep.migrate_plaintext_to_encrypted_in_batches('public.people', 'email', 'email_encrypted', $1, $2)`;
    await client.query(call, [id, wrapped]);
  } finally {
    client.release(true);
  }
  const { rows } = await pool.query(
    'select count(*)::integer as unsealed from people where email is not null and email_encrypted is null',
  );
  assert.deepEqual(rows, [{ unsealed: 0 }]);
  await encryptField(ground, order, agree);
  await within(async (session) => {
    await session.query('select safekeep.unlock($1)', [wrapped]);
    const opened = await session.query(
      `select safekeep.get_decrypted_value(v.email_encrypted, v.encryption_key_id) as value, k.scope
         from people_decrypted as v join safekeep.encryption_keys as k on k.key_id = decode(v.encryption_key_id, 'hex') where v.id = 7`,
    );
    assert.deepEqual(opened.rows, [{ value: 'person7@example.org', scope: field.keyScope }]);
    await assert.rejects(
      session.query(`select safekeep.get_decrypted_value('\\x00', $1, 'fallback')`, [id]),
      /should be sealed is not/,
    );
  });
});

test('who says that it is the engine stores neither plaintext nor anything that is not sealed', async (t) => {
  const { pool, encrypted, within } = await place(t);
  for (const [name, mode] of [
    ['public.people.email', 'client'],
    ['public.people.phone', 'database'],
  ] as const)
    await encrypted(name, mode);
  await pool.query('grant select, insert, update on people to safekeep_app');
  for (const [statement, pattern] of [
    [`update people set email = 'in the clear' where id = 1`, /zz_safekeep_empty_/],
    [`insert into people (id, phone) values (900, 'in the clear')`, /zz_safekeep_empty_/],
    [`update people set phone_encrypted = 'not sealed' where id = 1`, /zz_safekeep_sealed_/],
    [`update people set email_encrypted = '\\xfa53' where id = 1`, /zz_safekeep_sealed_/],
  ] as const)
    await within(async (client) => {
      await client.query(`set local role safekeep_app; select set_config('safekeep.engine', 'on', true)`);
      await assert.rejects(client.query(statement), pattern, statement);
    });
});

test('a role without the key reads and writes nothing through the view, and neither functions nor plans tell it a value', async (t) => {
  const { pool, keys, encrypted, within } = await place(t);
  await encrypted('public.people.phone', 'database');
  await pool.query('grant select, insert, update, delete on people, people_decrypted to safekeep_app');
  await within(async (client) => {
    await client.query('set local role safekeep_app');
    const { rows } = await client.query(`select count(phone)::integer as n, count(*)::integer as rows from people_decrypted`);
    assert.deepEqual(rows, [{ n: 0, rows: ROWS }]);
    const { rows: hits } = await client.query(`select id from people_decrypted where phone like '0700%'`);
    assert.deepEqual(hits, []);
    const { rows: plan } = await client.query(
      `explain (analyze, verbose, costs off) select phone from people_decrypted where phone = '0700 7'`,
    );
    assert.doesNotMatch(JSON.stringify(plan), /0700 [0-68-9]/);
    for (const statement of [
      `update people_decrypted set phone = '1' where id = 1`,
      `insert into people_decrypted (id, phone) values (901, '1')`,
    ]) {
      await client.query('savepoint before');
      await assert.rejects(client.query(statement), /takes no plaintext from a session that has not unlocked/);
      await client.query('rollback to before');
    }
  });
  // What one session unlocked another does not have, nor the next transaction of the same.
  await within(async (client) => {
    await unlock(client, { tenant: 'default', keys });
    const other = await pool.query('select count(phone)::integer as n from people_decrypted');
    assert.deepEqual(other.rows, [{ n: 0 }]);
    await client.query('commit; begin');
    const { rows } = await client.query('select count(phone)::integer as n from people_decrypted');
    assert.deepEqual(rows, [{ n: 0 }]);
  });
});

for (const server of testServers())
  test(`statement logging that is switched on after the unlock writes no key, and no value that the view shows (PostgreSQL ${server.name})`, async (t) => {
    const { keys, encrypted, within } = await place(t, server);
    const field = await encrypted('public.people.phone', 'database');
    const key = (await keys.current('default', field.keyScope)).keyObject.export();
    const mark = `look-${randomBytes(6).toString('hex')}`;
    await within(async (client) => {
      await unlock(client, { tenant: 'default', keys });
      await client.query(
        `set local log_statement = 'all'; set local log_min_duration_statement = 0; set local log_parameter_max_length = -1;
         set local log_parameter_max_length_on_error = -1; set local debug_print_plan = on`,
      );
      const { rows } = await client.query(`select phone as "${mark}" from people_decrypted where id = $1`, [7]);
      assert.deepEqual(rows, [{ [mark]: '0700 7' }]);
      await client.query(`update people_decrypted set email = 'x' where id = 8`);
      await client.query('savepoint before');
      await assert.rejects(client.query(`select safekeep.seal_value('default', $1, 'int', 'no number')`, [field.id]));
      await client.query('rollback to before');
      await assert.rejects(unlock(client, { tenant: 'default', keys }), /unlock refused/, 'a second one is refused');
    });
    const log = await logOf(server.logDirectory);
    assert.ok(log.includes(mark), 'the statement itself was logged');
    for (const form of [key.toString('hex'), key.toString('base64'), key.toString('latin1'), '0700 7'])
      assert.ok(!log.toLowerCase().includes(form.toLowerCase()));
  });

async function logOf(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return (await Promise.all(files.map((entry) => readFile(join(entry.parentPath, entry.name), 'latin1')))).join('\n');
}

test('a destroyed key opens nothing a minute later, however the keys of the application are kept one behind the other', async (t) => {
  const { pool, keys, encrypted, clock } = await place(t);
  const field = await encrypted('public.people.email', 'client');
  const sdk = safekeep(pool, { tenant: 'default', keys, clock });
  const { rows } = await pool.query<{ email_encrypted: Buffer }>('select email_encrypted from people where id = 7');
  const sealed = rows[0]?.email_encrypted ?? assert.fail();
  const { id } = await keys.current('default', field.keyScope);
  // The ring has it in memory when it is destroyed, and the SDK asks for it late.
  await keys.byId('default', [id]);
  clock.advanceMs(1_000);
  await pool.query(
    `update safekeep.encryption_keys set state = 'shredded', wrapped = null, destroyed_at = now() where key_id = decode($1, 'hex')`,
    [id],
  );
  clock.advanceMs(58_000);
  assert.equal(await sdk.open('public.people.email', sealed), 'person7@example.org', 'as long as the lease');
  clock.advanceMs(2_000);
  await assert.rejects(sdk.open('public.people.email', sealed), refusedAs('key-erased'));
  await assert.rejects(sdk.seal('public.people.email', 'x'), refusedAs('key-erased'));
});

test('a key that expires in the middle of an encryption is told, and nothing is lost: the work goes on, and a rotation ends it', async (t) => {
  const { pool, ring, ground, clock, keys } = await place(t);
  const column = parseColumnName('public.people.email');
  let expired = 0;
  const observe: FieldGround['observe'] = (moment) => {
    if (moment !== 'sealed') return;
    expired += 1;
    // Its day has come, and nothing that was kept in memory is left.
    clock.advanceMs(86_400_000);
    ring.forget();
  };
  await encryptField(
    { ...ground, observe: () => undefined },
    { column, mode: 'client', search: [], card: null, acceptLeak: false, until: 'dual-write' },
    agree,
  );
  await pool.query(`update safekeep.encryption_keys set expires_at = $1 where key_purpose = 'data'`, [
    new Date(clock.now().getTime() + 3_600_000),
  ]);
  const { field } = await encryptField(
    { ...ground, observe },
    { column, mode: 'client', search: [], card: null, acceptLeak: false },
    agree,
  );
  assert.ok(expired > 0);
  await finishField(ground, column, agree);
  const before = (await keys.current('default', field.keyScope)).id;
  const rotated = await rotateField(ground, column, { agree, resume: false });
  assert.notEqual(rotated.currentKeyId, before);
  assert.deepEqual(rotated.census, [{ keyId: rotated.currentKeyId, values: ROWS }]);
  const { rows } = await pool.query<{ id: number; email_encrypted: Buffer }>('select id, email_encrypted from people order by id');
  const values = await ground.keys.open(
    field,
    rows.map((row) => row.email_encrypted),
  );
  assert.deepEqual(
    values,
    rows.map(({ id }) => `person${id}@example.org`),
  );
});
