import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSafekeepError } from '@safekeep/core';
import { testServers } from '@safekeep/postgres/testing';
import { cutOver } from './cut-over.ts';
import { handBack } from './hand-back.ts';
import { assertSame, fillShop } from './testing/shop.ts';
import { followedShop } from './testing/followed-shop.ts';

const SWITCH = { closeSource: true, verify: 'changed', wayBackDays: 7 } as const;

for (const server of testServers()) {
  test(`what changes in PostgreSQL after the cut-over comes back into the file exactly, and the file takes writes again, on PostgreSQL ${server.name}`, async (t) => {
    const { context, pool, sqlite, runId } = await followedShop(t, {
      server,
      fill: (database) => {
        fillShop(database);
        database.exec(
          `CREATE TABLE seen (id INTEGER PRIMARY KEY, n INTEGER); CREATE TRIGGER count_notes AFTER UPDATE ON notes BEGIN INSERT INTO seen (n) VALUES (1); END`,
        );
      },
    });
    await cutOver(context, runId, SWITCH);
    assert.throws(() => sqlite.exec(`UPDATE people SET name = 'late'`), /moved to PostgreSQL/);
    await pool.query(`
      INSERT INTO people (name, email, big, score, photo) VALUES ('Ägir', 'new@example.org', 9223372036854775807, '-Infinity', '\\x00ff');
      UPDATE people SET email = NULL, score = 0.1 WHERE id = 3;
      UPDATE people a SET email = b.email FROM (VALUES (4, 'x4'), (5, 'x5')) AS b (id, email) WHERE a.id = b.id;
      UPDATE people SET id = 900 WHERE id = 6;
      DELETE FROM people WHERE id = 7;
      UPDATE notes SET body = '🦷', price = 12.34 WHERE id = 8;
      DELETE FROM slots WHERE room = 'room 1';
      INSERT INTO slots VALUES ('d1', 'room 1', NULL);
      UPDATE tags SET name = upper(name) WHERE uses < 5;
      TRUNCATE pairs; INSERT INTO pairs VALUES (1, 'again', 1), (99, 'new', 2)`);
    // Two rows swap what is unique: neither can be written first.
    await pool.query(
      `BEGIN; UPDATE people SET email = 'p9x' WHERE id = 9; UPDATE people SET email = 'p9@example.org' WHERE id = 10; UPDATE people SET email = 'p10@example.org' WHERE id = 9; COMMIT`,
    );
    const result = await handBack(context, runId, { overwrite: false });
    assert.equal(result.state, 'handed-back');
    assert.match(result.notes.join(), /count_notes/);
    await assertSame(sqlite, pool);
    assert.deepEqual(sqlite.prepare('SELECT n FROM seen').all(), [], 'no trigger of the application ran');
    sqlite.exec(`UPDATE notes SET body = 'open' WHERE id = 1`);
    assert.equal(sqlite.prepare('SELECT count(*) AS n FROM seen').get()?.['n'], 1, 'but it runs again now');
    assert.deepEqual(sqlite.prepare(`SELECT name FROM sqlite_schema WHERE name LIKE 'safekeep%'`).all(), []);
    const { rows } = await pool.query(`SELECT tgname FROM pg_trigger WHERE tgname LIKE 'safekeep%'`);
    assert.deepEqual(rows, []);
  });
}

test('a value that did not change keeps the spelling it had, and a new one is spelled as its column is', async (t) => {
  const { context, pool, sqlite, runId } = await followedShop(t, {
    fill: (database) =>
      database.exec(`PRAGMA journal_mode = WAL;
        CREATE TABLE v (id INTEGER PRIMARY KEY, day DATE, at DATETIME, moment TIMESTAMP, clock TIME, yes BOOLEAN, word BOOLEAN, price NUMERIC, plain, doc BLOB, twice INTEGER AS (id * 2) VIRTUAL);
        INSERT INTO v VALUES (1, '2020-01-31', '2020-01-31T10:00:00', '2020-01-31T10:00:00Z', '10:00', 1, 'true', 5.25, 1.0, 'text'),
                             (2, '2021-02-28', '2021-02-28 10:00:00.5', '2021-02-28T10:00:00+02:00', '11:00:01', 0, 'false', 3, 2, 'more'),
                             (3, '2021-03-01', '2021-03-01 10:00:00.5', '2021-03-01T10:00:00+02:00', '12:00:00.25', 1, 'TRUE', 3, 3.5, x'00ff');`),
  });
  await cutOver(context, runId, { ...SWITCH, wayBackDays: 1 });
  const { rows } = await pool.query<{ at: string; moment: string }>(
    `SELECT pg_typeof(at)::text AS at, pg_typeof(moment)::text AS moment FROM v LIMIT 1`,
  );
  assert.deepEqual(rows, [{ at: 'timestamp without time zone', moment: 'timestamp with time zone' }]);
  await pool.query(`UPDATE v SET price = 7.125 WHERE id = 2; UPDATE v SET price = 8 WHERE id = 3; UPDATE v SET id = 12 WHERE id = 1;
    UPDATE v SET at = '2022-03-01 12:30:00', moment = '2022-03-01 12:30:00.25+01', clock = '23:59', yes = true, word = true WHERE id = 2`);
  await handBack(context, runId, { overwrite: false });
  const read = (id: number): unknown[] =>
    Object.values(
      sqlite.prepare('SELECT day, at, moment, clock, yes, word, price, doc, twice, typeof(doc) FROM v WHERE id = ?').get(id) ?? {},
    );
  assert.deepEqual(read(2), [
    '2021-02-28',
    '2022-03-01T12:30:00',
    '2022-03-01 11:30:00.250000+00:00',
    '23:59',
    1,
    'true',
    7.125,
    'more',
    4,
    'text',
  ]);
  assert.deepEqual(read(3).slice(0, 7), [
    '2021-03-01',
    '2021-03-01 10:00:00.5',
    '2021-03-01T10:00:00+02:00',
    '12:00:00.25',
    1,
    'TRUE',
    8,
  ]);
  assert.deepEqual(read(12), [
    '2020-01-31',
    '2020-01-31T10:00:00',
    '2020-01-31T10:00:00Z',
    '10:00',
    1,
    'true',
    5.25,
    'text',
    24,
    'text',
  ]);
});

test('a row that changed on both sides since the cut-over stops the way back, unless the person lets PostgreSQL win', async (t) => {
  const { context, pool, sqlite, runId } = await followedShop(t);
  await cutOver(context, runId, { ...SWITCH, closeSource: false });
  sqlite.exec(`UPDATE people SET name = 'here' WHERE id = 1; UPDATE people SET name = 'only here' WHERE id = 2`);
  await pool.query(`UPDATE people SET name = 'there' WHERE id = 1; UPDATE people SET name = 'only there' WHERE id = 3`);
  await assert.rejects(
    handBack(context, runId, { overwrite: false }),
    (error) => isSafekeepError(error, 'import-back-conflict') && error.message.includes('people (1)'),
  );
  const names = (): unknown[] =>
    sqlite
      .prepare('SELECT name FROM people WHERE id < 4 ORDER BY id')
      .all()
      .map((row) => row['name']);
  assert.deepEqual(names(), ['here', 'only here', 'Größe 3']);
  await handBack(context, runId, { overwrite: true });
  assert.deepEqual(names(), ['there', 'only here', 'only there']);
});

test('a value that SQLite cannot hold exactly stops the way back and leaves both sides as they were', async (t) => {
  const { context, pool, sqlite, runId } = await followedShop(t, {
    fill: (database) =>
      database.exec(`PRAGMA journal_mode = WAL; CREATE TABLE v (id INTEGER PRIMARY KEY, n NUMERIC); INSERT INTO v VALUES (1, 1.5)`),
  });
  await cutOver(context, runId, SWITCH);
  await pool.query(`UPDATE v SET n = 0.1234567890123456789012345`);
  await assert.rejects(handBack(context, runId, { overwrite: false }), (error) => isSafekeepError(error, 'import-follow-mismatch'));
  assert.equal(sqlite.prepare('SELECT n FROM v').get()?.['n'], 1.5);
  assert.throws(() => sqlite.exec('UPDATE v SET n = 2'), /moved to PostgreSQL/);
  await pool.query(`UPDATE v SET n = 0.5`);
  await handBack(context, runId, { overwrite: false });
  assert.equal(sqlite.prepare('SELECT n FROM v').get()?.['n'], 0.5);
});

test('the way back is refused when it was not kept, when its time is over, and before there was a cut-over', async (t) => {
  const { context, runId } = await followedShop(t);
  await assert.rejects(handBack(context, runId, { overwrite: false }), (error) => isSafekeepError(error, 'import-follow-state'));
  await cutOver(context, runId, { ...SWITCH, wayBackDays: 1 });
  const later = { ...context, clock: { ...context.clock, now: () => new Date(Date.now() + 2 * 86_400_000) } };
  await assert.rejects(handBack(later, runId, { overwrite: false }), (error) => isSafekeepError(error, 'import-back-expired'));
});

test('numbers, texts and bytes of any kind written into PostgreSQL read the same in SQLite after the way back', async (t) => {
  const { context, pool, sqlite, runId } = await followedShop(t);
  await cutOver(context, runId, SWITCH);
  const person = fc.record({
    name: fc.option(fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0'))),
    big: fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
    score: fc.option(fc.double({ noNaN: true })),
    photo: fc.option(fc.uint8Array({ maxLength: 40 })),
  });
  for (const [at, { name, big, score, photo }] of fc.sample(person, { numRuns: 300, seed: 11 }).entries()) {
    // -0 is kept by PostgreSQL and not by SQLite, for which it is 0.
    const number = Object.is(score, -0) ? 0 : score;
    await pool.query(
      'INSERT INTO people (id, name, big, score, photo) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET name = excluded.name, big = excluded.big',
      [at + 20, name, big === null ? null : String(big), number, photo === null ? null : Buffer.from(photo)],
    );
  }
  await handBack(context, runId, { overwrite: false });
  await assertSame(sqlite, pool);
});
