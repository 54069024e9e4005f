import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { testDatabase } from '@safekeep/postgres/testing';
import { safekeep, temporaryHome } from '../testing/safekeep.ts';

const none = '{ category: none, note: a number }';
const MAP = `version: 1
tenant: fixed
purposes: { care: { use: essential.service, basis: contract, retention: 10y } }
subjects: { patient: { table: public.patients, key: id, find_by: [email] } }
tables:
  public.patients:
    purposes: [care]
    columns: { id: ${none}, email: { category: user.contact.email } }
`;
const NOBODY = '01994b0e-7c4a-7000-8000-5f2f6d8b9c10';

test('a call ends with 0 where it is done and so, 1 where it is not so or refused, 2 where it was called wrongly', async (t) => {
  const folder = await temporaryHome(t);
  const { pool, url } = await testDatabase(t, { migrated: true });
  await pool.query(
    `create table patients (id integer primary key, email text); insert into patients values (1, 'ada@example.org')`,
  );
  const mapFile = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };
  const map = await mapFile('map.yaml', MAP);
  const vanished = await mapFile('vanished.yaml', MAP.replaceAll('email', 'fax_number'));
  const unclassified = await mapFile('unclassified.yaml', MAP.replace(', email: { category: user.contact.email }', ''));
  const broken = await mapFile('broken.yaml', 'tables: [');
  const calls: readonly (readonly [code: number, call: string, map?: string])[] = [
    [0, 'doctor'],
    [0, 'migrate status'],
    [0, 'jobs list --state dead'],
    [0, 'subject erasures --open'],
    [0, 'hold list --overdue'],
    // Nothing to verify is no pass.
    [1, 'audit verify'],
    [1, 'audit proof 0'],
    [0, 'status'],
    [0, 'map check'],
    [1, 'map check', unclassified],
    [1, 'map check', vanished],
    [2, 'map check', broken],
    [2, 'map check', join(folder, 'nowhere.yaml')],
    [0, 'plan'],
    [1, 'plan', vanished],
    [0, 'subject find ada@example.org'],
    [1, 'subject find nobody@example.org'],
    [1, `hold history ${NOBODY}`],
    [2, `jobs show ${NOBODY}`],
    [2, `import show ${NOBODY}`],
    [2, 'audit verify --dir .'],
    [2, 'subject erase patient:1'],
  ];
  const settings = ['--db', url.reveal(), '--home', join(folder, 'home'), '--yes', '--json'];
  for (const [code, call, file = map] of calls) {
    const { code: ended, stdout, stderr } = await safekeep([...call.split(' '), '--map', file, ...settings]);
    assert.equal(ended, code, `${call}: ${stderr}${stdout}`);
    // A thing that is not so is an answer; a refusal has a code.
    if (code === 2) assert.ok(JSON.parse(stdout).error.remedy, call);
  }
});
