import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fixedClock, isSafekeepError } from '@safekeep/core';
import { testDatabase, testServers } from '@safekeep/postgres/testing';
import { textSha256 } from '../store.ts';
import { readMapText } from '../text/document.ts';
import { mapHistory, mapVersion, recordMapVersion } from './versions.ts';

const clock = fixedClock('2026-03-01T10:00:00Z');
const first = readMapText(
  'version: 1\n# a comment\ntables:\n  a: { columns: { id: { category: user.unique_id } } }\n',
  'datamap.yaml',
);
const second = readMapText(first.text.replace('user.unique_id', 'user.name'), 'datamap.yaml');

for (const server of testServers()) {
  test(`every version is kept to the byte, with author, time, hash and what it changed (PostgreSQL ${server.name})`, async (t) => {
    const { database } = await testDatabase(t, { server, migrated: true });
    const who = { tenant: 'default', author: 'Ada', clock };
    assert.equal((await recordMapVersion(database, first, who)).recorded, true);
    assert.equal((await recordMapVersion(database, first, who)).recorded, false);
    clock.advanceMs(1000);
    await recordMapVersion(database, second, { ...who, author: 'Grace' });
    assert.deepEqual(await mapHistory(database, 'default'), [
      {
        number: 2,
        at: '2026-03-01T10:00:01.000Z',
        author: 'Grace',
        sha256: textSha256(second.text),
        changes: ['public.a.id: category user.unique_id -> user.name'],
      },
      { number: 1, at: '2026-03-01T10:00:00.000Z', author: 'Ada', sha256: textSha256(first.text), changes: ['the first version'] },
    ]);
    assert.equal((await mapVersion(database, 'default', 1)).text, first.text);
    assert.equal((await mapVersion(database, 'default')).text, second.text);
    clock.set('2026-03-01T10:00:00Z');
  });
}

test('a version that can no longer be read does not stop the next one from being kept', async (t) => {
  const { database, pool } = await testDatabase(t, { migrated: true });
  const who = { tenant: 'default', author: 'Ada', clock };
  await pool.query(
    `insert into safekeep.datamap_versions (tenant_id, version_id, number, recorded_at, author, sha256, map, changes)
     values ('default', gen_random_uuid(), 1, now(), 'Ada', $1, 'version: 1\nformer: key\n', '[]')`,
    [textSha256('version: 1\nformer: key\n')],
  );
  const { version } = await recordMapVersion(database, first, who);
  assert.deepEqual([version.number, version.changes], [2, ['version 1 can no longer be read, so what changed since is not told']]);
});

test('a version that was never recorded is refused by its number', async (t) => {
  const { database } = await testDatabase(t, { migrated: true });
  await assert.rejects(mapVersion(database, 'default', 7), (error: unknown) => isSafekeepError(error, 'map-version-unknown'));
});

test('two who record at once get one number each', async (t) => {
  const { database } = await testDatabase(t, { migrated: true });
  const maps = Array.from({ length: 6 }, (_, index) => readMapText(`version: 1\nregion: r${index}\n`, 'm'));
  await Promise.all(maps.map((map) => recordMapVersion(database, map, { tenant: 'default', author: 'Ada', clock })));
  assert.deepEqual(
    (await mapHistory(database, 'default')).map(({ number }) => number),
    [6, 5, 4, 3, 2, 1],
  );
});

test("the application may add a version, and neither change one, nor remove one, nor see another tenant's", async (t) => {
  const { database, pool } = await testDatabase(t, { migrated: true });
  await pool.query("insert into safekeep.tenants (tenant_id, name) values ('other', 'Other')");
  await recordMapVersion(database, first, { tenant: 'default', author: 'Ada', clock });
  await recordMapVersion(database, second, { tenant: 'other', author: 'Ada', clock });
  const client = await pool.connect();
  try {
    await client.query("begin; set local role safekeep_app; select set_config('safekeep.tenant', 'other', true)");
    const { rows } = await client.query('select tenant_id, number from safekeep.datamap_versions');
    assert.deepEqual(rows, [{ tenant_id: 'other', number: 1 }]);
    for (const statement of ['update safekeep.datamap_versions set author = author', 'delete from safekeep.datamap_versions']) {
      await client.query('savepoint attempt');
      await assert.rejects(client.query(statement), /permission denied/);
      await client.query('rollback to savepoint attempt');
    }
  } finally {
    await client.query('rollback');
    client.release();
  }
});
