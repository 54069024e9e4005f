import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import type pg from 'pg';
import {
  createSealingKey,
  IndexKey,
  openValue,
  SealingKey,
  sealValue,
  indexKeyId,
  unlockBundle,
  type Place,
  type TypedValue,
  type UnlockedKey,
} from '@safekeep/crypto';
import { typedValues } from '@safekeep/crypto/testing';
import { testDatabase, testServers, type TestServer } from '../testing/index.ts';

// The same format in SQL as in packages/crypto: what one seals the other opens.

const VECTORS = join(import.meta.dirname, '..', '..', '..', '..', 'shared', 'data', 'vectors', 'aes_gcm.json');
const FIELD = '01994b0e-7c4a-7000-8000-5f2f6d8b9c10';
const PLACE: Place = { tenant: 'Zürich', field: FIELD };

type Ground = { readonly client: pg.PoolClient; readonly key: SealingKey; readonly bundle: Buffer; readonly secret: Buffer };

/** A connection in a transaction with one key unlocked. */
async function unlocked(t: TestContext, server: TestServer, more: readonly UnlockedKey[] = []): Promise<Ground> {
  const connected: pg.PoolClient[] = [];
  // Before the database: what ends a test runs in the order it was given, and a pool waits for its connections.
  t.after(() => connected.forEach((each) => each.release(true)));
  const { pool } = await testDatabase(t, { migrated: true, server });
  const client = await pool.connect();
  connected.push(client);
  const { id, bytes } = createSealingKey();
  const bundle = unlockBundle([{ use: 'seal', id, bytes, ...PLACE }, ...more]);
  await client.query('begin');
  await client.query('set local log_parameter_max_length = 0');
  await client.query('select safekeep.unlock($1)', [bundle]);
  return { client, key: new SealingKey(id, bytes), bundle, secret: bytes };
}

/** As PostgreSQL writes it for a session with ISO dates in UTC. */
function plainOf({ type, value }: TypedValue): string {
  return type === 'bytea' ? `\\x${Buffer.from(value).toString('hex')}` : String(value);
}

for (const server of testServers()) {
  test(`what Node seals SQL opens, and the reverse, for every type on PostgreSQL ${server.name}`, async (t) => {
    const { client, key } = await unlocked(t, server);
    await client.query("set local timezone = 'UTC'");
    await fc.assert(
      fc.asyncProperty(typedValues, async ({ value, canonical }) => {
        const sealed = sealValue(key, PLACE, value);
        const { rows } = await client.query<{ opened: string; again: Buffer }>(
          'select safekeep.open_value($1) as opened, safekeep.seal_value($2, $3, $4, $5) as again',
          [sealed, PLACE.tenant, FIELD, value.type, plainOf(value)],
        );
        const [row] = rows;
        assert.ok(row !== undefined);
        assert.equal(row.opened, plainOf(canonical));
        assert.deepEqual(openValue(key, PLACE, row.again), canonical);
      }),
      { numRuns: 150 },
    );
  });

  test(`nothing, a megabyte, the ends of every type and JSON with a name twice cross both ways on PostgreSQL ${server.name}`, async (t) => {
    const { client, key } = await unlocked(t, server);
    await client.query("set local timezone = 'UTC'");
    const extremes: readonly TypedValue[] = [
      { type: 'text', value: '' },
      { type: 'text', value: 'é'.repeat(500_000) },
      { type: 'bytea', value: Buffer.alloc(0) },
      { type: 'bytea', value: Buffer.alloc(2 ** 20, 0xfa) },
      { type: 'json', value: '{"a": 1, "a": 2,  "b":{"a":null,"a":""}}' },
      { type: 'numeric', value: `${'9'.repeat(131_072)}.${'1'.repeat(16_383)}` },
      { type: 'numeric', value: 'NaN' },
      { type: 'numeric', value: '-Infinity' },
      { type: 'int', value: -(2n ** 63n) },
      { type: 'date', value: '4714-11-24 BC' },
      { type: 'date', value: '5874897-12-31' },
      { type: 'date', value: '-infinity' },
      { type: 'timestamptz', value: '4714-11-24 00:00:00+00 BC' },
      { type: 'timestamptz', value: '294276-12-31 23:59:59.999999+00' },
    ];
    for (const value of extremes) {
      const { rows } = await client.query<{ opened: string; again: Buffer }>(
        'select safekeep.open_value($1) as opened, safekeep.seal_value($2, $3, $4, $5) as again',
        [sealValue(key, PLACE, value), PLACE.tenant, FIELD, value.type, plainOf(value)],
      );
      const [row] = rows;
      assert.ok(row !== undefined);
      assert.ok(row.opened === plainOf(value), `${value.type} opened in SQL`);
      assert.deepEqual(openValue(key, PLACE, row.again), value);
    }
    const { rows } = await client.query(
      "select safekeep.open_value(null) as opened, safekeep.seal_value($1, $2, 'text', null) as sealed",
      [PLACE.tenant, FIELD],
    );
    assert.deepEqual(rows, [{ opened: null, sealed: null }]);
  });

  test(`the vectors of the specification open in SQL on PostgreSQL ${server.name}`, async (t) => {
    const file = join(import.meta.dirname, '..', '..', 'crypto', 'vectors', 'sk1.json');
    // Our own file; packages/crypto tests its shape.
    const { sealed: vectors } = JSON.parse(readFileSync(file, 'utf8')) as {
      readonly sealed: readonly { keyId: string; key: string; place: Place; value: string; sealed: string; type: string }[];
    };
    const { client } = await unlocked(t, server);
    await client.query("set local timezone = 'UTC'");
    let opened = 0;
    for (const { keyId, key, place, value, sealed, type } of vectors) {
      // SQL knows values that are bound to their field alone.
      if (place.row !== undefined || place.subject === true) continue;
      await client.query('select safekeep.unlock($1)', [
        unlockBundle([{ use: 'open', id: keyId, bytes: Buffer.from(key, 'hex'), ...place }]),
      ]);
      const { rows } = await client.query('select safekeep.open_value($1) as plain', [Buffer.from(sealed, 'hex')]);
      assert.deepEqual(rows, [{ plain: type === 'bytea' ? `\\x${value}` : value }]);
      opened += 1;
    }
    assert.ok(opened >= 10);
  });

  test(
    `AES-256-GCM in SQL: every valid vector of Wycheproof comes out, every invalid one does not, on PostgreSQL ${server.name}`,
    { skip: existsSync(VECTORS) ? false : 'skipped: ../shared/data not present' },
    async (t) => {
      const { client } = await unlocked(t, server);
      // The published schema of these files.
      const { testGroups } = JSON.parse(readFileSync(VECTORS, 'utf8')) as {
        readonly testGroups: readonly {
          readonly keySize: number;
          readonly ivSize: number;
          readonly tagSize: number;
          readonly tests: readonly Record<'key' | 'iv' | 'aad' | 'msg' | 'ct' | 'tag' | 'result', string>[];
        }[];
      };
      const cases = testGroups
        .filter((group) => group.keySize === 256 && group.ivSize === 96 && group.tagSize === 128)
        .flatMap(({ tests }) => tests);
      const valid = cases.filter(({ result }) => result === 'valid').length;
      assert.deepEqual([valid, cases.length - valid], [39, 27]);
      for (const { key, iv, aad, msg, ct, tag, result } of cases) {
        // A header of twelve bytes that sk1_open passes over; what is authenticated is the vector's own.
        const sealed = Buffer.concat([Buffer.alloc(12), ...[iv, ct, tag].map((hex) => Buffer.from(hex, 'hex'))]);
        const { rows } = await client.query<{ opened: Buffer | null }>(
          'select safekeep.sk1_open($1, safekeep.gcm_state($1, $2), $3, octet_length($2)) as opened',
          [Buffer.from(key, 'hex'), Buffer.from(aad, 'hex'), sealed],
        );
        assert.equal(rows[0]?.opened?.toString('hex') ?? null, result === 'valid' ? msg : null);
        if (result !== 'valid') continue;
        const made = await client.query<{ sealed: Buffer }>(
          'select safekeep.sk1_seal($1, safekeep.gcm_state($1, $2), $3, $4, $5, octet_length($2)) as sealed',
          [Buffer.from(key, 'hex'), Buffer.from(aad, 'hex'), Buffer.alloc(12), Buffer.from(msg, 'hex'), Buffer.from(iv, 'hex')],
        );
        assert.deepEqual(made.rows[0]?.sealed, sealed);
      }
    },
  );

  test(`changed, moved and foreign values are refused in SQL, without a key they are NULL, on PostgreSQL ${server.name}`, async (t) => {
    const { client, key } = await unlocked(t, server);
    const sealed = sealValue(key, PLACE, { type: 'text', value: 'Ada' });
    const open = async (bytes: Buffer): Promise<unknown> => {
      await client.query('savepoint s');
      try {
        return (await client.query<{ plain: unknown }>('select safekeep.open_value($1) as plain', [bytes])).rows[0]?.plain;
      } finally {
        await client.query('rollback to s');
      }
    };
    assert.equal(await open(sealed), 'Ada');
    for (let at = 4; at < sealed.length; at += 1) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      // Another id of a key is the id of a key that is not unlocked.
      if (at < 12) assert.equal(await open(changed), null);
      else await assert.rejects(open(changed), { code: 'XX001' });
    }
    await assert.rejects(open(sealValue(key, { ...PLACE, tenant: 'Zug' }, { type: 'text', value: 'x' })), { code: 'XX001' });
    await assert.rejects(open(sealValue(key, { ...PLACE, row: '1' }, { type: 'text', value: 'x' })), { code: '0A000' });
    await assert.rejects(open(Buffer.from('plain text in place of a sealed value, long enough')), { code: 'XX001' });
    await assert.rejects(open(sealed.subarray(0, 30)), { code: 'XX001' });
    // Of another tenant there is no key, so nothing is sealed with this one in its name.
    const { rows } = await client.query('select safekeep.seal_value($1, $2, $3, $4) as sealed', ['Zug', FIELD, 'text', 'x']);
    assert.deepEqual(rows, [{ sealed: null }]);
    await client.query('commit');
    assert.equal(
      (await client.query<{ plain: unknown }>('select safekeep.open_value($1) as plain', [sealed])).rows[0]?.plain,
      null,
    );
  });

  const VERSIONS = [1, 2, 9];

  test(`a blind index is the same number in SQL and in Node on PostgreSQL ${server.name}`, async (t) => {
    const bytes = randomBytes(32);
    const { client } = await unlocked(
      t,
      server,
      VERSIONS.map((version) => ({ use: 'index', id: indexKeyId(version), bytes, ...PLACE })),
    );
    const index = new IndexKey(bytes);
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'binary' }).filter((form) => !form.includes('\0')),
        fc.integer({ min: 1, max: 63 }),
        fc.constantFrom(...VERSIONS),
        async (form, bits, version) => {
          const { rows } = await client.query<{ made: string }>('select safekeep.index_value($1, $2, $3, $4, $5, $6) as made', [
            PLACE.tenant,
            FIELD,
            'exact',
            bits,
            version,
            form,
          ]);
          assert.equal(rows[0]?.made, String(index.index(`${FIELD} exact ${version}`, form, bits)));
          const { rows: whole } = await client.query<{ made: Buffer }>('select safekeep.index_digest($1, $2, $3, $4, $5) as made', [
            PLACE.tenant,
            FIELD,
            'unique',
            version,
            form,
          ]);
          assert.deepEqual(whole[0]?.made, index.digest(`${FIELD} unique ${version}`, form));
        },
      ),
      { numRuns: 50 },
    );
  });

  test(`unlock refuses where the server would log the key, and when it stands in the statement, on PostgreSQL ${server.name}`, async (t) => {
    const { client, bundle } = await unlocked(t, server);
    await client.query('commit');
    const attempt = async (settings: Readonly<Record<string, string>>): Promise<void> => {
      await client.query('begin');
      try {
        for (const [name, value] of Object.entries(settings)) await client.query('select set_config($1, $2, true)', [name, value]);
        await client.query('select safekeep.unlock($1)', [bundle]);
      } finally {
        await client.query('rollback');
      }
    };
    const refusals: readonly Readonly<Record<string, string>>[] = [
      { log_parameter_max_length: '-1', log_statement: 'all' },
      { log_parameter_max_length: '64', log_min_duration_statement: '0' },
      { log_parameter_max_length: '-1', log_min_duration_sample: '10' },
      { log_parameter_max_length: '-1', log_transaction_sample_rate: '0.5' },
      { log_parameter_max_length: '-1', log_duration: 'on' },
      { log_parameter_max_length: '0', log_parameter_max_length_on_error: '10' },
      { 'log_parameter_max_length': '0', 'pgaudit.log_parameter': 'on', 'pgaudit.log': 'read' },
      { 'log_parameter_max_length': '0', 'auto_explain.log_parameter_max_length': '-1', 'auto_explain.log_min_duration': '0' },
    ];
    for (const settings of refusals) await assert.rejects(attempt(settings), { code: '55000' }, JSON.stringify(settings));
    await attempt({ log_parameter_max_length: '0', log_statement: 'all', log_min_duration_statement: '0' });
    const quiet = { log_parameter_max_length: '-1', log_statement: 'none', log_min_duration_statement: '-1', log_duration: 'off' };
    await attempt(quiet);
    await client.query('begin');
    await client.query('set local log_parameter_max_length = 0');
    await assert.rejects(client.query(`select safekeep.unlock('\\x${bundle.toString('hex')}')`), { code: '55000' });
    await client.query('rollback');
    await client.query('begin');
    await client.query('set local log_parameter_max_length = 0');
    await assert.rejects(client.query('select safekeep.unlock($1)', [Buffer.from('no bundle')]), { code: '22023' });
    await client.query('rollback');
  });

  test(`while it is unlocked no one else can see a key on PostgreSQL ${server.name}`, async (t) => {
    const held: pg.PoolClient[] = [];
    t.after(() => held.forEach((each) => each.release(true)));
    const { pool } = await testDatabase(t, { migrated: true, server });
    const { id, bytes } = createSealingKey();
    const client = await pool.connect();
    held.push(client);
    const watcher = await pool.connect();
    held.push(watcher);
    const forms = [bytes.toString('hex'), bytes.toString('base64'), bytes.toString('hex').toUpperCase()];
    await client.query('begin');
    // Everything is logged but parameters: the strictest of what unlock allows.
    for (const setting of ["log_statement = 'all'", 'log_min_duration_statement = 0', 'log_parameter_max_length = 0'])
      await client.query(`set local ${setting}`);
    await client.query('select safekeep.unlock($1)', [unlockBundle([{ use: 'seal', id, bytes, ...PLACE }])]);
    // Found again in the log of a server that other tests use too.
    const mine = randomBytes(6).toString('hex');
    const sealed = await client.query<{ sealed: Buffer }>(`select safekeep.seal_value($1, $2, $3, $4) as sealed -- ${mine}`, [
      PLACE.tenant,
      FIELD,
      'text',
      'Ada',
    ]);
    await client.query('savepoint s');
    await assert.rejects(client.query('select 1 / 0, safekeep.open_value($1)', [sealed.rows[0]?.sealed]));
    await client.query('rollback to s');
    const { rows } = await watcher.query<{ seen: string }>(`
      select (select string_agg(a::text, ' ') from pg_stat_activity as a) || (select string_agg(p::text, ' ') from pg_proc as p where prosrc is not null)
        || (select string_agg(s::text, ' ') from pg_settings as s) || (select coalesce(string_agg(l::text, ' '), '') from pg_locks as l)
        || (select coalesce(string_agg(x::text, ' '), '') from pg_prepared_statements as x) || (select coalesce(string_agg(c::text, ' '), '') from pg_cursors as c) as seen`);
    assert.ok((rows[0]?.seen.length ?? 0) > 10_000);
    await client.query('commit');
    // Not even to itself once the transaction is over.
    const own = await client.query<{ seen: string }>(
      "select string_agg(s::text, ' ') as seen from pg_settings as s where name like 'safekeep.%'",
    );
    const mark = new RegExp(`seal_value.*${mine}`);
    const logs = await logsWith(mark, server, watcher);
    assert.match(logs, mark);
    for (const form of forms) {
      assert.ok(!(rows[0]?.seen ?? '').includes(form));
      assert.ok(!(own.rows[0]?.seen ?? '').includes(form));
      assert.ok(!logs.includes(form));
    }
  });
}

function readLogs({ logDirectory }: TestServer): string {
  return readdirSync(logDirectory)
    .toSorted()
    .map((file) => readFileSync(join(logDirectory, file), 'utf8'))
    .join('');
}

/** The server writes its log through a process of its own: asked again until the statement is there. */
async function logsWith(pattern: RegExp, server: TestServer, client: pg.PoolClient): Promise<string> {
  for (let tries = 0; tries < 250; tries += 1) {
    const logs = readLogs(server);
    if (pattern.test(logs)) return logs;
    await client.query('select pg_sleep(0.02)');
  }
  return readLogs(server);
}
