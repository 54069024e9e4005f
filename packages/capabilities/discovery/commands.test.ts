import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import Value from 'typebox/value';
import { systemClock } from '@safekeep/core';
import { openDatabase } from '@safekeep/postgres';
import { testDatabase } from '@safekeep/postgres/testing';
import type { Command, CommandContext } from '../capability.ts';
import { discovery } from './index.ts';

const plain = (text: string): string => text;
const INK = { good: plain, bad: plain, warn: plain, dim: plain, strong: plain };

async function bench(t: TestContext) {
  const { database, pool, url } = await testDatabase(t, { migrated: true });
  await pool.query(
    'create table customers (id int primary key, email text, company text); create table parts (id int primary key, name text)',
  );
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-scan-'));
  t.after(() => rm(folder, { recursive: true }));
  const mapFile = join(folder, 'datamap.yaml');
  const run = async (name: string, input: object, on = database) => {
    const command: Command = discovery.commands.find((each) => each.name === name) ?? assert.fail(name);
    const quiet = { info: () => undefined };
    const progress = () => ({ update: () => undefined, end: () => undefined });
    // What these commands use of their context.
    const context = {
      tenant: 'default',
      clock: systemClock,
      mapFile,
      json: true,
      signal: new AbortController().signal,
      log: quiet,
      progress,
      database: async () => on,
    } as unknown as CommandContext;
    const { result, ok = true } = await command.run(context, input as never);
    assert.ok(Value.Check(command.output, JSON.parse(JSON.stringify(result))), name);
    return { result: JSON.parse(JSON.stringify(result)), ok, text: command.render(result as never, INK, {} as never) };
  };
  return { run, mapFile, folder, pool, url };
}

test('scan lists every column, writes the map, and review is done when nothing is open', async (t) => {
  const { run, mapFile, folder } = await bench(t);
  const scanned = await run('scan', { write: true });
  assert.deepEqual(
    scanned.result.columns.map(({ column, category, decision }: Record<string, string>) => [column, category, decision]),
    [
      ['public.customers.id', 'user.unique_id', 'certain'],
      ['public.customers.email', 'user.contact.email', 'certain'],
      ['public.customers.company', 'user.workplace', 'review'],
      ['public.parts.id', 'none', 'none'],
      ['public.parts.name', 'none', 'none'],
    ],
  );
  assert.deepEqual([scanned.ok, scanned.result.subjects[0].name, scanned.result.written.columns], [true, 'customer', 5]);
  assert.match(scanned.text, /found public\.customers\.email[\s\S]*1 to be looked at/);
  assert.match(await readFile(mapFile, 'utf8'), /company: \{ category: user\.workplace, note: "scan: to be looked at/);
  const open = await run('scan review', {});
  assert.deepEqual([open.ok, open.result.open.length], [false, 1]);
  const verdicts = join(folder, 'verdicts.json');
  await writeFile(
    verdicts,
    JSON.stringify({ verdicts: [{ column: 'public.customers.company', category: 'none', note: 'of the building' }] }),
  );
  const decided = await run('scan review', { verdicts });
  assert.deepEqual([decided.ok, decided.result.decided, decided.result.changedInMap], [true, 1, 1]);
  assert.equal((await run('scan', { sinceLast: true, schema: ['public'] })).result.columns[2].pinned, true);
});

test('review is not done while a table could not be read', async (t) => {
  const { run, pool, url } = await bench(t);
  await pool.query(`
    alter table customers drop column company;
    create table visits (id int primary key, wert text);
    insert into visits values (1, 'x');
    do $$ begin execute format('alter database %I set lock_timeout = ''300ms''', current_database()); end $$;`);
  const impatient = await openDatabase(url, { poolMax: 2 });
  const holder = await pool.connect();
  try {
    await holder.query('begin; lock table visits in access exclusive mode');
    const { ok, result, text } = await run('scan review', {}, impatient);
    assert.deepEqual(
      [ok, result.open, result.problems.map(({ table, code }: Record<string, string>) => `${table} ${code}`)],
      [false, [], ['public.visits locked']],
    );
    assert.match(text, /public\.visits: /);
    await holder.query('rollback');
    assert.equal((await run('scan review', {}, impatient)).ok, true);
  } finally {
    holder.release();
    await impatient.close();
  }
});
