import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type pg from 'pg';
import { createSealingKey, unlockBundle } from '@safekeep/crypto';
import { testDatabase, testServers } from '../testing/index.ts';

const PLACE = { tenant: 'default', field: '01994b0e-7c4a-7000-8000-5f2f6d8b9c10' };

function newBundle() {
  const { id, bytes } = createSealingKey();
  return { id, bytes, wrapped: unlockBundle([{ use: 'seal', id, bytes, ...PLACE }]) };
}

async function inTransaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    return await work(client);
  } finally {
    await client.query('rollback');
    client.release();
  }
}

const message = (error: unknown): string => (error instanceof Error ? JSON.stringify([error.message, { ...error }]) : '');

/** All that the server wrote into its logs. */
const logsIn = (folder: string): string =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
        .join('\n')
    : '';

for (const server of testServers()) {
  const on = `on PostgreSQL ${server.name}`;

  test(`a bundle cut off at any byte, or of another make, is refused and not quoted ${on}`, async (t) => {
    const { pool } = await testDatabase(t, { server, migrated: true });
    const { bytes, wrapped } = newBundle();
    const foreign = [randomBytes(80), bytes, Buffer.alloc(0), Buffer.concat([wrapped, Buffer.of(9)])];
    for (const bad of [...Array.from({ length: wrapped.length - 5 }, (_, cut) => wrapped.subarray(0, cut + 5)), ...foreign]) {
      await inTransaction(pool, async (client) => {
        await assert.rejects(client.query('select safekeep.unlock($1)', [bad]), (error: unknown) => {
          const shown = message(error);
          assert.match(shown, /unlock takes what the SDK wraps/);
          for (let at = 0; at + 8 <= bytes.length; at += 1)
            assert.ok(!shown.includes(bytes.subarray(at, at + 8).toString('hex')), 'a part of the key is in the message');
          return true;
        });
      });
    }
  });

  test(`unlock is refused wherever the server would write the key down, with what to do about it ${on}`, async (t) => {
    const { pool } = await testDatabase(t, { server, migrated: true });
    const { wrapped } = newBundle();
    const logging: readonly Readonly<Record<string, string>>[] = [
      { debug_print_plan: 'on' },
      { 'auto_explain.log_min_duration': '0', 'auto_explain.log_parameter_max_length': '0', 'auto_explain.log_verbose': 'on' },
      { log_parameter_max_length: '-1', log_statement: 'mod' },
    ];
    for (const settings of logging) {
      await inTransaction(pool, async (client) => {
        for (const [name, value] of Object.entries(settings)) await client.query('select set_config($1, $2, true)', [name, value]);
        // No key is needed to be refused, and so none comes near a log here.
        await assert.rejects(client.query("select safekeep.unlock('\\x00')"), (error: unknown) => {
          assert.match(message(error), /would log the key.*ALTER ROLE/);
          return true;
        });
      });
    }
    // With parameters kept out of the log, statements may be logged as before.
    await inTransaction(pool, async (client) => {
      await client.query("select set_config('log_parameter_max_length', '0', true), set_config('log_statement', 'all', true)");
      const { rows } = await client.query('select safekeep.unlock($1) as keys', [wrapped]);
      assert.deepEqual(rows, [{ keys: 1 }]);
    });
  });

  for (const logged of ['all', 'none'])
    test(`while values are sealed and opened, nobody else and no log sees the key, with log_statement ${logged} ${on}`, async (t) => {
      const { pool } = await testDatabase(t, { server, migrated: true });
      await pool.query('create extension pg_stat_statements');
      const { id, bytes, wrapped } = newBundle();
      const forms = formsOf(bytes, wrapped);
      const watcher = await pool.connect();
      const client = await pool.connect();
      try {
        await client.query('begin');
        await client.query("select set_config('log_parameter_max_length', '0', true), set_config('log_statement', $1, true)", [
          logged,
        ]);
        await client.query('select safekeep.unlock($1)', [wrapped]);
        const running = client.query<{ plain: string }>(
          "select safekeep.open_value(safekeep.seal_value($1, $2, 'text', 'value ' || number)) as plain from generate_series(1, 4000) as number",
          [PLACE.tenant, PLACE.field],
        );
        let looks = 0;
        for (let look = 0; look < 5; look += 1) {
          const seen = await allThatOthersSee(watcher);
          if (seen.includes('generate_series(1, 4000)')) looks += 1;
          for (const form of forms) assert.ok(!seen.includes(form));
          const { rows: held } = await watcher.query<{ key: string | null }>('select current_setting($1, true) as key', [
            `safekeep.key_${id}`,
          ]);
          assert.equal(held[0]?.key ?? '', '');
        }
        const { rows } = await running;
        assert.deepEqual([rows.length, rows[0]?.plain, rows[3999]?.plain], [4000, 'value 1', 'value 4000']);
        assert.ok(looks > 0, 'the watcher saw the statement while it ran');
        // What fails inside must not print what it worked with.
        await client.query('savepoint before');
        const bad = await client
          .query("select safekeep.seal_value($1, $2, 'int', 'no number')", [PLACE.tenant, PLACE.field])
          .catch(message);
        assert.ok(typeof bad === 'string' && forms.every((form) => !bad.toLowerCase().includes(form)));
        await client.query('rollback to before');
        await client.query('commit');
        const { rows: after } = await client.query<{ key: string | null; sealed: Buffer | null }>(
          "select current_setting($1, true) as key, safekeep.seal_value($2, $3, 'text', 'x') as sealed",
          [`safekeep.key_${id}`, PLACE.tenant, PLACE.field],
        );
        assert.deepEqual([after[0]?.key ?? '', after[0]?.sealed], ['', null]);
        const remembered = await allThatOthersSee(watcher);
        assert.match(remembered, /select safekeep\.unlock\(\$1\)/, 'pg_stat_statements counted the statement');
        for (const form of forms) assert.ok(!remembered.includes(form));
      } finally {
        client.release(true);
        watcher.release(true);
      }
      const log = logsIn(server.logDirectory).toLowerCase();
      if (logged === 'all') assert.ok(log.includes('select safekeep.unlock($1)'), 'the server did log the statement');
      for (const form of forms) assert.ok(!log.includes(form));
    });
}

/** The key as anybody could have written it down, in small letters. */
function formsOf(key: Buffer, wrapped: Buffer): readonly string[] {
  return [
    key.toString('hex'),
    key.toString('base64').toLowerCase(),
    wrapped.toString('hex'),
    // Both halves by themselves: a text that was cut may hold one of them.
    key.subarray(0, 16).toString('hex'),
    key.subarray(16).toString('hex'),
  ];
}

/** Of this database, by a superuser in another session, in small letters. */
async function allThatOthersSee(watcher: pg.PoolClient): Promise<string> {
  const { rows } = await watcher.query<{ seen: string | null }>(`
    select concat_ws(' ',
      (select string_agg(query, ' ') from pg_stat_activity),
      (select string_agg(query, ' ') from pg_stat_statements),
      (select string_agg(name || '=' || setting, ' ') from pg_settings),
      (select string_agg(pg_get_functiondef(oid), ' ') from pg_proc where pronamespace = 'safekeep'::regnamespace and prokind = 'f'),
      (select string_agg(concat_ws(' ', prosrc, prosqlbody::text, proargdefaults::text, proconfig::text), ' ') from pg_proc),
      (select string_agg(statement, ' ') from pg_prepared_statements),
      (select string_agg(concat_ws(' ', most_common_vals::text, histogram_bounds::text), ' ') from pg_stats)) as seen`);
  return (rows[0]?.seen ?? '').toLowerCase();
}
