import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isSafekeepError, systemClock } from '@safekeep/core';
import type { CommandContext } from '../../capability.ts';
import { finishField } from './actions/finish-field.ts';
import type { Ground } from './actions/ground.ts';
import { fieldCommands } from './commands.ts';
import { agreed, workbench, type Workbench } from './testing/workbench.ts';

const plain = (text: string): string => text;
const INK = { good: plain, bad: plain, warn: plain, dim: plain, strong: plain };
const MAP_TOGETHER = `version: 1
tenant: fixed
tables:
  public.people:
    columns:
      name: { category: user.name, protect: client, search_with: [born] }
      born: { category: user.date_of_birth, protect: client }
`;
const MAP = `version: 1
tenant: fixed
tables:
  public.people:
    columns:
      email: { category: user.contact.email } # where we write to
      phone: { category: user.contact.phone_number, protect: database }
`;

type Ending = { readonly after: (run: () => Promise<void>) => void };

/** The commands of fields over a database and a map, as a terminal that agrees to everything runs them. */
async function terminal(t: Ending, bench: Workbench, map: string, name = 'datamap.yaml') {
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-fields-'));
  t.after(() => rm(folder, { recursive: true }));
  const mapFile = join(folder, name);
  await writeFile(mapFile, map);
  const asked: string[] = [];
  const said: string[] = [];
  let looks = 0;
  const commands = fieldCommands(async () => ({ source: bench.keys, follows: [], close: async () => undefined }));
  const run = async (name: string, input: object) => {
    const command = commands.find((each) => each.name === name) ?? assert.fail(name);
    // What the commands of fields use of their context. The lease of clients is over: the clock has gone on whenever it is looked at.
    const context = {
      tenant: 'default',
      clock: { ...systemClock, now: () => new Date(Date.now() + (looks += 1) * 60_000) },
      mapFile,
      signal: new AbortController().signal,
      database: async () => bench.database,
      confirm: async (action: string) => void asked.push(action),
      say: (line: string) => void said.push(line),
      progress: () => ({ update: () => undefined, end: () => undefined }),
    } as unknown as CommandContext;
    const { result, ok } = await command.run(context, input as never);
    return { result: JSON.parse(JSON.stringify(result)), text: command.render(result as never, INK, {} as never), ok };
  };

  return { run, asked, said, mapFile, folder };
}

test('a column is encrypted, shown, finished, rotated and decrypted from the command line, and the map says so', async (t) => {
  const bench = await workbench(t, {
    setUp: `create table people (id integer primary key, email text, phone text);
      insert into people select n, 'person' || n || '@example.org', '555-' || n from generate_series(1, 300) as n`,
  });
  const { run, asked, said, mapFile, folder } = await terminal(t, bench, MAP);
  const { result, text } = await run('encrypt', { column: 'people.email', search: 'exact', acceptLeak: false });
  assert.deepEqual(
    [result.field, result.mode, result.phase, result.done, result.total, result.verified, result.search[0].kind],
    ['public.people.email', 'client', 'switched', 300, 300, 300, 'exact'],
  );
  assert.match(text, /safekeep encrypt finish public\.people\.email/);
  assert.match(said.join('\n'), /ON CONFLICT/);
  assert.match(
    await readFile(mapFile, 'utf8'),
    /email: \{ category: user\.contact\.email, protect: client, search: \[ exact \] \} # where we write to/,
  );
  assert.equal((await run('encrypt', { column: 'people.phone', acceptLeak: false })).result.mode, 'database', 'as the map says');

  const { result: status } = await run('encrypt status', {});
  assert.deepEqual(
    status.fields.map((each: { field: string; unsealed: number; keys: unknown[] }) => [
      each.field,
      each.unsealed,
      each.keys.length,
    ]),
    [
      ['public.people.email', 0, 1],
      ['public.people.phone', 0, 1],
    ],
  );
  const { result: finished, text: told } = await run('encrypt finish', { column: 'public.people.email' });
  assert.deepEqual([finished.phase, finished.residue.length > 0], ['finished', true]);
  assert.match(told, /Plaintext may still be found/);
  const { result: rotated } = await run('encrypt rotate', { column: 'people.email', resume: false, wait: false });
  assert.deepEqual(rotated.keys, [{ keyId: rotated.keyId, values: 300 }]);
  assert.equal((await run('encrypt', { column: 'people.email', mode: 'database', acceptLeak: false })).result.mode, 'database');
  const out = join(folder, 'fields.d.ts');
  assert.equal((await run('map types', { out })).result.columns, 2);
  assert.match(await readFile(out, 'utf8'), /"public\.people\.email"/);

  assert.equal((await run('decrypt', { column: 'people.email', wait: false })).result.done, 300);
  // Its plaintext never went.
  // Each plaintext that still stands was compared.
  assert.equal((await run('decrypt', { column: 'people.phone', wait: false })).result.done, 300);
  assert.match(await readFile(mapFile, 'utf8'), /email: \{ category: user\.contact\.email, protect: none/);
  assert.equal((await run('encrypt status', {})).text, 'No column is encrypted.');
  assert.equal(asked.length, 7);
  await assert.rejects(run('encrypt', { column: 'people.email', search: 'colour', acceptLeak: false }), (error) =>
    isSafekeepError(error, 'usage'),
  );
  await assert.rejects(run('decrypt', { column: 'people.email' }), (error) => isSafekeepError(error, 'field-unknown'));
});

test('a column of the map that is only prepared stops once columns and triggers stand, as often as it is asked, and then goes on', async (t) => {
  const bench = await workbench(t, {
    setUp: `create table people (id integer primary key, email text, phone text);
      insert into people select n, 'person' || n || '@example.org', '555-' || n from generate_series(1, 300) as n`,
  });
  const { run, mapFile } = await terminal(t, bench, MAP);
  for (const given of [
    { column: 'people.email', search: 'exact' },
    { column: 'people.email' },
    { column: 'people.phone' },
    { column: 'people.phone', mode: 'database' },
  ]) {
    const { result, text } = await run('encrypt', { ...given, prepare: true, acceptLeak: false });
    assert.deepEqual([result.phase, result.done], ['dual-write', 0]);
    assert.match(text, /Seal the rows from SQL/);
  }
  assert.match(await readFile(mapFile, 'utf8'), /email: \{.*protect: client, search: \[ exact \] \}/);
  assert.match(await readFile(mapFile, 'utf8'), /phone: \{.*protect: database.*\}/);
  const { result } = await run('encrypt', { column: 'people.email', acceptLeak: false });
  assert.deepEqual([result.phase, result.search[0].kind, result.search[0].state], ['switched', 'exact', 'serving']);
});

test('what is searched together stands in the map, and comes once all of it is finished', async (t) => {
  const bench = await workbench(t, {
    setUp: `create table people (id integer primary key, name text, born date);
      insert into people select n, 'Name' || n % 300, date '1950-01-01' + n from generate_series(1, 2000) as n`,
  });
  const { run, said, mapFile } = await terminal(t, bench, MAP_TOGETHER);
  assert.deepEqual((await run('encrypt', { column: 'people.name', acceptLeak: false })).result.search, []);
  assert.match(said.join('\n'), /can be searched with born once all are finished.*safekeep encrypt finish public\.people\.name/);
  await run('encrypt', { column: 'people.born', acceptLeak: false });
  for (const name of ['name', 'born']) await run('encrypt finish', { column: `people.${name}` });
  const { result, text } = await run('encrypt', { column: 'people.name', acceptLeak: false });
  assert.deepEqual(
    result.search.map((each: { kind: string; with: string[]; state: string }) => [each.kind, each.with, each.state]),
    [['compound', ['born'], 'serving']],
  );
  assert.match(text, /search together with born in name_compound_index: \d+ bits/);
  const { result: anew } = await run('encrypt reindex', { column: 'people.name', search: 'compound', acceptLeak: false });
  assert.deepEqual(
    anew.search.map((each: { column: string }) => each.column),
    ['name_compound_index_2'],
  );
  await run('encrypt', { column: 'people.name', with: 'none', acceptLeak: false });
  assert.match(await readFile(mapFile, 'utf8'), /name: \{.*search_with: \[\]/);
  assert.deepEqual((await run('encrypt', { column: 'people.name', with: 'born', acceptLeak: false })).result.search.length, 1);
  assert.match(await readFile(mapFile, 'utf8'), /name: \{.*search_with: \[ born \]/);
});

test('where the map cannot be written the column is encrypted all the same, and what to write by hand is told', async (t) => {
  const bench = await workbench(t, {
    setUp: `create table people (id integer primary key, email text, phone text);
      insert into people select n, 'person' || n || '@example.org', null from generate_series(1, 300) as n`,
  });
  // So long a name leaves no room for the file that is written whole and then takes its place.
  const { run, mapFile } = await terminal(t, bench, MAP, `${'m'.repeat(245)}.yaml`);
  await assert.rejects(
    run('encrypt', { column: 'people.email', acceptLeak: false }),
    (error) => isSafekeepError(error, 'field-map-behind') && error.remedy.startsWith('Put protect: client on'),
  );
  assert.equal(await readFile(mapFile, 'utf8'), MAP);
  assert.deepEqual((await bench.pool.query('select count(email_encrypted)::integer as n from people')).rows, [{ n: 300 }]);
  assert.equal((await run('encrypt status', {})).result.fields[0].phase, 'switched');
});

test('a finish that was cut off while clients were told is shown with the command that goes on', async (t) => {
  const bench = await workbench(t, {
    setUp: `create table people (id integer primary key, note text); insert into people select n, 'note ' || n from generate_series(1, 300) as n`,
  });
  const { run } = await terminal(t, bench, MAP);
  await run('encrypt', { column: 'people.note', acceptLeak: false });
  const stop = new AbortController();
  const observe: Ground['observe'] = (moment) => {
    if (moment === 'waiting') stop.abort();
  };
  const cutOff = { ...bench.ground, leaseMs: 60_000, observe, signal: stop.signal };
  await assert.rejects(finishField(cutOff, bench.order('public.people.note').column, agreed), { name: 'AbortError' });
  const { result, text } = await run('encrypt', { column: 'people.note', acceptLeak: false });
  assert.equal(result.phase, 'unread');
  assert.match(text, /it still stands[^]*safekeep encrypt finish public\.people\.note/);
});

test('columns that go along are asked about once, shown one by one, and one that is stopped is told with what to do', async (t) => {
  const bench = await workbench(t, {
    setUp: `create table people (id integer primary key, email text, phone text, town text unique);
      insert into people select n, 'person' || n || '@example.org', '555-' || n, 'town' || n from generate_series(1, 300) as n`,
  });
  const { run, asked, mapFile } = await terminal(t, bench, MAP);
  const { result, text, ok } = await run('encrypt', {
    column: 'people.email',
    also: 'phone, town,email',
    search: 'exact',
    acceptLeak: false,
  });
  assert.deepEqual(asked, ['Encrypting public.people.email, public.people.phone']);
  assert.deepEqual(
    [result, ...result.also].map((each) => [each.field, each.mode, each.phase, each.verified, each.search.length]),
    [
      ['public.people.email', 'client', 'switched', 300, 1],
      // As the map says of it, whatever the call says of the first.
      ['public.people.phone', 'database', 'switched', 300, 0],
    ],
  );
  assert.deepEqual([result.others, ok], [['public.people.phone'], false]);
  assert.deepEqual([result.stopped.length, result.stopped[0].field], [1, 'public.people.town']);
  assert.match(text, /stopped public\.people\.town: [^]*unique constraint people_town_key[^]*What to do/);
  assert.match(await readFile(mapFile, 'utf8'), /email: \{.*protect: client[^]*phone: \{.*protect: database/);
  const both = { column: 'people.phone', also: 'email' };
  assert.match((await run('encrypt finish', both)).text, /people\.phone.*finished[^]*people\.email.*finished/);
  const { result: rotated, ok: isWhole } = await run('encrypt rotate', { ...both, resume: false, wait: false });
  assert.deepEqual([rotated.keys[0].values, rotated.also[0].keys[0].values, isWhole], [300, 300, true]);
  const { result: given } = await run('decrypt', { ...both, wait: false });
  assert.deepEqual([given.done, given.others], [300, ['public.people.email']]);
  assert.match(await readFile(mapFile, 'utf8'), /email: \{.*protect: none[^]*phone: \{.*protect: none/);
  assert.equal(asked.length, 4);
  await assert.rejects(run('encrypt', { column: 'people.town', acceptLeak: false }), (error) =>
    isSafekeepError(error, 'field-unfit'),
  );
});
