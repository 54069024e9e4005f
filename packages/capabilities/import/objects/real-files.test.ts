import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { testDatabase, testServers } from '@safekeep/postgres/testing';
import { bothSides, move } from './fixture.ts';

const DATA = new URL('../../../../../shared/data/sqlite/', import.meta.url);
const files = existsSync(DATA) ? readdirSync(DATA).toSorted() : [];
const skip = files.length === 0 ? 'skipped: ../shared/data not present' : false;

for (const server of testServers()) {
  for (const file of files.length === 0 ? ['(none)'] : files) {
    test(`every object of ${file} comes over or is named with its reason on PostgreSQL ${server.name}`, { skip }, async (t) => {
      using source = new DatabaseSync(new URL(file, DATA), { readOnly: true });
      const { pool } = await testDatabase(t, { server });
      const moved = await move(source, pool);
      const refused = moved.objects.filter((object) => object.reason.includes('PostgreSQL refused it'));
      assert.deepEqual(refused, []);
      assert.deepEqual(
        moved.objects.filter((object) => object.state !== 'migrated' && object.reason === ''),
        [],
      );
      for (const object of moved.objects.filter(({ kind, state }) => kind === 'view' && state !== 'not-migrated')) {
        const { sqlite, postgres } = await bothSides(source, pool, object.name);
        assert.deepEqual(postgres.toSorted(), sqlite.toSorted(), object.name);
      }
    });
  }
}
