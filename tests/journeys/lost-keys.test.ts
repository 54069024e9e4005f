import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { testDatabase } from '@safekeep/postgres/testing';
import { safekeepAtHand, temporaryHome } from 'safekeep/testing';

const MAP = `version: 1
tenant: fixed
subjects:
  person: { table: public.people, key: id }
tables:
  public.people:
    of: { person: id }
    purposes: [care]
    columns:
      id: { category: user.unique_id }
      email: { category: user.contact.email }
      note: { category: user.contact.phone_number }
purposes:
  care: { use: essential.service, basis: contract }
`;

/** What a recovery makes anew: the root of all keys, its secret, and the lock of the folder. */
const MADE_ANEW = /^(?:keys\.lock|root\.json|root-\w+\.secret)$/;

/** A home that used every kind of key that there is, and a backup of its keys. */
async function livedIn(t: TestContext) {
  const folder = await temporaryHome(t);
  const [home, map, kept] = [join(folder, 'home'), join(folder, 'datamap.yaml'), join(folder, 'backup')];
  await writeFile(map, MAP);
  const { pool, url } = await testDatabase(t);
  await pool.query(`create table people (id integer primary key, email text not null, note text);
    insert into people select n, 'person' || n || '@example.org', 'call ' || n from generate_series(1, 30) as n`);
  const call = async (...args: string[]) => {
    const ended = await safekeepAtHand([...args, '--db', url.reveal(), '--home', home, '--map', map, '--yes', '--json']);
    assert.notEqual(ended.stdout, '', ended.stderr);
    return { code: ended.code, result: JSON.parse(ended.stdout) };
  };
  const done = async (...args: string[]) => {
    const { code, result } = await call(...args);
    assert.equal(code, 0, JSON.stringify(result));
    return result;
  };
  await done('apply');
  await done('encrypt', 'people.note');
  await pool.query(`update people set email = 'other@example.org' where id = 2`);
  await done('audit', 'sequence', '--once');
  const { file: sealed } = await done('subject', 'export', 'person:1');
  const { hash } = await done('subject', 'erase', 'person:2', '--plan');
  await done('subject', 'erase', 'person:2', '--approve', hash);
  const { files } = await done('keys', 'backup', '--out', kept, '--shares', '2', '--threshold', '2');
  const keys = join(home, 'keys');
  const recover = files.flatMap((path: string) => ['--from', path]);
  return { folder, keys, call, done, sealed, recover: ['keys', 'recover', ...recover] };
}

async function keyFiles(folder: string): Promise<ReadonlyMap<string, string>> {
  const files = (await readdir(folder, { withFileTypes: true })).filter((each) => each.isFile() && !MADE_ANEW.test(each.name));
  return new Map(await Promise.all(files.map(async ({ name }) => [name, await readFile(join(folder, name), 'utf8')] as const)));
}

test('without its keys a home makes none, and a backup puts every key file back', { timeout: 300_000 }, async (t) => {
  const { folder, keys, call, done, sealed, recover } = await livedIn(t);
  const before = await keyFiles(keys);
  assert.ok(before.size >= 5, [...before.keys()].join());
  await rename(keys, join(folder, 'lost'));
  for (const refused of [
    ['subject', 'export', 'person:1', '--out', join(folder, 'one.zip')],
    ['audit', 'sequence', '--once'],
    ['subject', 'open-export', sealed, '--out', join(folder, 'two.zip')],
  ]) {
    const { code, result } = await call(...refused);
    assert.equal(code, 2, refused.join(' '));
    assert.match(result.error.code, /^home-key-lost$|^key-file-broken$/, refused.join(' '));
  }
  const { result: doctor } = await call('doctor');
  assert.equal(doctor.checks.find(({ name }: { name: string }) => name === 'keys').state, 'fail');
  assert.equal(existsSync(keys) ? (await keyFiles(keys)).size : 0, 0, 'nothing was made in their place');

  await done(...recover);
  // A new kind of key file that this finds missing belongs into HOME_KEYS.
  assert.deepEqual(await keyFiles(keys), before);
  await done('audit', 'verify', '--full');
  await done('subject', 'open-export', sealed, '--out', join(folder, 'three.zip'));
});

test('a recovery passes over no other key that lies in its place', { timeout: 300_000 }, async (t) => {
  const { keys, call, done, recover } = await livedIn(t);
  const before = await keyFiles(keys);
  for (const name of before.keys()) {
    await rm(keys, { recursive: true });
    await mkdir(keys, { mode: 0o700 });
    await writeFile(join(keys, name), 'another key', { mode: 0o600 });
    const { code, result } = await call(...recover);
    assert.deepEqual([code, result.error?.code], [2, 'key-file-other'], name);
    assert.deepEqual([...(await keyFiles(keys)).keys()], [name]);
  }
  await rm(keys, { recursive: true });
  await done(...recover);
  assert.deepEqual(await keyFiles(keys), before);
});
