import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fixedClock, isSafekeepError, readConfiguration, suggestionFor } from '@safekeep/core';
import type { Database } from '@safekeep/postgres';
import { testDatabase } from '@safekeep/postgres/testing';
import type { CommandContext, Outcome } from '../capability.ts';
import { mapCommands } from './commands.ts';
import { saveMap } from './actions/map-file.ts';

const MAP = `version: 1
purposes:
  care: { use: essential.service, basis: contract, retention: 10y }
subjects:
  patient: { table: patients, key: id }
tables:
  patients:
    purposes: [care]
    columns:
      id: { category: user.unique_id } # the key
`;

const plain = (text: string): string => text;
const INK = { good: plain, bad: plain, warn: plain, dim: plain, strong: plain };

/** A folder with a map, and a way to call the commands as the program does. */
async function workplace(t: TestContext, database?: Database) {
  const home = await mkdtemp(join(tmpdir(), 'safekeep-map-'));
  t.after(() => rm(home, { recursive: true, force: true }));
  const mapFile = join(home, 'datamap.yaml');
  await writeFile(mapFile, MAP);
  const unused = (): never => {
    throw new Error('The command asked for something that it does not need');
  };
  const context: CommandContext = {
    home,
    tenant: 'default',
    mapFile,
    clock: fixedClock('2026-03-01T10:00:00Z'),
    configuration: readConfiguration({ flags: { home }, environment: {}, file: {}, readFile: unused }),
    signal: new AbortController().signal,
    json: true,
    database: async () => database ?? unused(),
    databaseUrl: unused,
    elsewhere: () => assert.fail('no other home'),
    signer: unused,
    verifierKey: unused,
    confirm: unused,
    progress: unused,
    stream: unused,
    say: unused,
    log: {
      trace: unused,
      debug: unused,
      info: unused,
      warn: unused,
      error: unused,
      fatal: unused,
      child: unused,
      dropped: () => 0,
    },
  };
  const call = async (name: string, input: object): Promise<Outcome<Record<string, unknown>> & { readonly shown: string }> => {
    const found = mapCommands.find((command) => command.name === name);
    assert.ok(
      found,
      suggestionFor(
        name,
        mapCommands.map((command) => command.name),
      ),
    );
    // The uniform shape of the list has no types of its own for input and result; the assertions below look at what comes.
    const outcome = (await found.run(context, input as never)) as Outcome<Record<string, unknown>>;
    return { ...outcome, shown: found.render(outcome.result as never, INK, {} as never) };
  };
  return { mapFile, home, call };
}

test('map check ends with 1 as long as a column is unclassified, and says where and what to do', async (t) => {
  const { database, pool } = await testDatabase(t);
  await pool.query('create table patients (id integer primary key)');
  const { call, mapFile } = await workplace(t, database);
  const good = await call('map check', {});
  assert.deepEqual([good.ok, good.result['ok'], good.result['problems']], [true, true, []]);
  assert.match(good.shown, /^1 table\(s\) with 1 column\(s\): nothing is missing\.$/);

  await writeFile(mapFile, (await readFile(mapFile, 'utf8')).replaceAll('care', 'to_be_confirmed'));
  const proposed = await call('map check', {});
  assert.deepEqual([proposed.ok, proposed.result['unconfirmed']], [true, ['to_be_confirmed']]);
  assert.match(proposed.shown, /nothing is missing\.\nto_be_confirmed: a scan proposed this purpose/);

  await pool.query('alter table patients add ssn text');
  const bad = await call('map check', {});
  assert.equal(bad.ok, false);
  assert.match(bad.shown, /^datamap\.yaml:9:5 unclassified-column ssn \(text\) of public\.patients is not in the map\n {4}\S/);
});

test('map check --offline asks for no database', async (t) => {
  const { call } = await workplace(t);
  assert.deepEqual((await call('map check', { offline: true })).result, {
    ok: true,
    problems: [],
    tables: 0,
    columns: 0,
    unconfirmed: [],
    several: [],
  });
});

test('a map that is missing or broken is refused', async (t) => {
  const { call, mapFile } = await workplace(t);
  await writeFile(mapFile, 'version: 2\n');
  await assert.rejects(
    call('map show', {}),
    (error: unknown) => isSafekeepError(error, 'map-invalid') && /datamap\.yaml:1:10: must be 1/.test(error.message),
  );
  await rm(mapFile);
  await assert.rejects(call('map show', {}), (error: unknown) => isSafekeepError(error, 'map-missing'));
});

test('map show tells subjects and tables, and the picture on request', async (t) => {
  const { call } = await workplace(t);
  const { result, shown } = await call('map show', { graph: true });
  assert.deepEqual(result['subjects'], [{ name: 'patient', table: 'public.patients', key: ['id'] }]);
  assert.equal((result['graph'] as { nodes: unknown[] }).nodes.length, 1);
  assert.equal(shown, 'patient: a row of public.patients by id\n\npublic.patients\n  id  user.unique_id');
  assert.match((await call('map show', { mermaid: true })).shown, /^flowchart RL\n/);
  const { call: callOther, mapFile } = await workplace(t);
  await writeFile(mapFile, MAP.replace('purposes: [care]', 'compliance: columns\n    hide_deleted: true\n    isolate: true'));
  assert.match(
    (await callOther('map show', {})).shown,
    /patients\n {2}compliance fields: columns\n {2}deleted rows are hidden from reads\n {2}rows are seen and written by their tenant only\n/,
  );
});

test('versions are recorded, listed and compared by number, by file and with the map as it is', async (t) => {
  const { database } = await testDatabase(t, { migrated: true });
  const { call, mapFile, home } = await workplace(t, database);
  await call('map record', { author: 'Ada' });
  await writeFile(mapFile, MAP.replace('user.unique_id', 'user.name'));
  const change = 'public.patients.id: category user.unique_id -> user.name';
  assert.match((await call('map diff', {})).shown, new RegExp(`^version 1 -> datamap.yaml\\n${change}$`));
  assert.match((await call('map record', { author: 'Ada' })).shown, /Recorded as version 2/);
  assert.match((await call('map record', { author: 'Ada' })).shown, /Version 2 is this map already/);
  assert.match((await call('map history', {})).shown, new RegExp(`^2 .*Ada.*\\n {3}${change}\\n1 `));
  await writeFile(join(home, 'other.yaml'), MAP);
  assert.match((await call('map diff', { from: '1', to: join(home, 'other.yaml') })).shown, /Nothing changes in meaning/);
  await assert.rejects(call('map diff', { from: '9' }), (error: unknown) => isSafekeepError(error, 'map-version-unknown'));
});

test('map export writes fides and DPV, and map import adds what the map does not say', async (t) => {
  const { call, mapFile, home } = await workplace(t);
  const fides = (await call('map export', { format: 'fides', offline: true })).shown;
  assert.match(fides, /^dataset:\n {2}- fides_key: public\n/);
  assert.match((await call('map export', { format: 'dpv' })).shown, /dpv:Process/);
  await writeFile(
    join(home, 'in.yml'),
    fides.replace('- name: id', '- name: phone\n            data_categories: [user.contact.phone_number]\n          - name: id'),
  );
  assert.deepEqual((await call('map import', { file: join(home, 'in.yml') })).result, {
    file: mapFile,
    columns: 1,
    tables: 0,
    subjects: 0,
  });
  assert.equal(await readFile(mapFile, 'utf8'), `${MAP}      phone: { category: user.contact.phone_number }\n`);
  await rm(mapFile);
  await call('map import', { file: join(home, 'in.yml') });
  assert.match(await readFile(mapFile, 'utf8'), /^# yaml-language-server: \$schema=\.\/datamap\.schema\.json\n/);
  assert.equal(JSON.parse(await readFile(join(home, 'datamap.schema.json'), 'utf8')).title, 'Safekeep data map');
});

test('a map that somebody changed in the meantime is not overwritten', async (t) => {
  const { mapFile } = await workplace(t);
  await assert.rejects(saveMap(mapFile, MAP, `${MAP}# before\n`), (error: unknown) => isSafekeepError(error, 'map-changed'));
  await assert.rejects(saveMap(mapFile, 'version: 2', MAP), (error: unknown) => isSafekeepError(error, 'map-invalid'));
  assert.equal(await readFile(mapFile, 'utf8'), MAP);
  await assert.rejects(saveMap(join(mapFile, 'below'), MAP, undefined), (error: unknown) =>
    isSafekeepError(error, 'file-unreadable'),
  );
});
