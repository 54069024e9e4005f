import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type pg from 'pg';
import { testDatabase, testServers } from '../testing/index.ts';
import { differences, fingerprintOf, fingerprintParts, type FingerprintParts } from './fingerprint.ts';
import { changes, createTypes, creation, schemaPlan, type Creation, type SchemaPlan } from './fixtures/random-schema.ts';
import { readCatalog } from './read-catalog.ts';

// Each run creates schemas on a real server. The seed is fixed so that a failure is one for everybody.
const RUNS = { numRuns: 25, seed: 2_025_11_21 };

for (const server of testServers()) {
  test(`on PostgreSQL ${server.name} the order of creation leaves no trace in the fingerprint of a random schema`, async (t) => {
    const { pool } = await testDatabase(t, { server });
    await fc.assert(
      fc.asyncProperty(schemaPlan, fc.gen(), async (plan, gen) => {
        const shuffled = (all: readonly string[]): readonly string[] =>
          gen(fc.shuffledSubarray, [...all], { minLength: all.length });
        const { tables, afterwards } = creation(plan, true);
        const inOrder = await fingerprinted(pool, plan, creation(plan, false));
        const inDisorder = await fingerprinted(pool, plan, { tables: shuffled(tables), afterwards: shuffled(afterwards) });
        assert.deepEqual(differences(inOrder, inDisorder), []);
        assert.equal(fingerprintOf(inOrder), fingerprintOf(inDisorder));
      }),
      RUNS,
    );
  });

  test(`on PostgreSQL ${server.name} any single change shows in the fingerprint of a random schema`, async (t) => {
    const { pool } = await testDatabase(t, { server });
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(schemaPlan, fc.constantFrom(...Object.keys(changes)), async (plan, change) => {
        const changed = changes[change]?.(plan) ?? plan;
        const [before, after] = [creation(plan, false), creation(changed, false)];
        fc.pre(JSON.stringify([plan.labels, before]) !== JSON.stringify([changed.labels, after]));
        seen.add(change);
        const [was, is] = [await fingerprinted(pool, plan, before), await fingerprinted(pool, changed, after)];
        assert.notDeepEqual(differences(was, is), [], change);
        assert.notEqual(fingerprintOf(was), fingerprintOf(is), change);
      }),
      { ...RUNS, numRuns: 50 },
    );
    assert.ok(seen.size >= 10, `only ${seen.size} kinds of change were tried`);
  });
}

async function fingerprinted(pool: pg.Pool, plan: SchemaPlan, { tables, afterwards }: Creation): Promise<FingerprintParts> {
  const client = await pool.connect();
  try {
    // Rolled back at the end: it leaves nothing to drop.
    await client.query(
      ['begin', 'create schema s', 'set local search_path = s', createTypes(plan), ...tables, ...afterwards].join(';\n'),
    );
    return fingerprintParts(await readCatalog(client, { schemas: ['s'] }));
  } finally {
    await client.query('rollback');
    client.release();
  }
}
