import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { testDatabase } from '@safekeep/postgres/testing';
import { safekeepAtHand, temporaryHome } from 'safekeep/testing';

const ROWS = 500;
const CLINIC = `
  create table patients (id integer primary key, email text not null, ward text);
  insert into patients select n, 'person' || n || '@example.org', 'east' from generate_series(1, ${ROWS}) as n`;

const mapOf = (audit: string): string => `version: 1
purposes:
  care: { use: essential.service, basis: contract, condition: health_care, retention: 10y }
subjects:
  patient: { table: patients, key: id }
tables:
  patients:
    purposes: [care]
    audit: { writes: true${audit} }
    columns:
      id: { category: user.unique_id }
      email: { category: user.contact.email }
      ward: { category: none, note: where the bed stands }
`;

async function clinic(t: TestContext, audit: string) {
  const folder = await temporaryHome(t);
  const { pool, url } = await testDatabase(t);
  const mapFile = join(folder, 'datamap.yaml');
  await pool.query(CLINIC);
  await writeFile(mapFile, mapOf(audit));
  const done = async (...args: string[]) => {
    const all = [...args, '--db', url.reveal(), '--home', join(folder, 'home'), '--map', mapFile, '--json'];
    const { code, stdout, stderr } = await safekeepAtHand(all);
    assert.equal(code, 0, `${args.join(' ')}: ${stdout} ${stderr}`);
    // The result is what a script would get: JSON without a type.
    return stdout === '' ? undefined : JSON.parse(stdout);
  };
  return { pool, done, mapFile };
}

for (const audit of [', actor: require', ''])
  test(`a column of an audited table${audit === '' ? '' : ' that takes changes of a proven actor only'} is encrypted, finished and decrypted, and the log says who did it`, async (t) => {
    const { pool, done } = await clinic(t, audit);
    await done('apply', '--yes');
    await done('audit', 'actor-key', '--yes');
    const refused = pool.query(`update patients set ward = 'west' where id = 1`);
    if (audit === '') await refused;
    else await assert.rejects(refused, /proven actor only/);

    await done('encrypt', 'public.patients.email', '--search', 'exact', '--accept-leak', '--yes');
    const finished = await done('encrypt', 'finish', 'public.patients.email', '--no-wait', '--yes');
    assert.deepEqual([finished.phase, finished.done], ['finished', ROWS]);
    await done('encrypt', 'rotate', 'public.patients.email', '--no-wait', '--yes');
    const { keys } = await done('keys', 'list');
    const [old] = keys.filter(
      ({ columns, state }: { readonly columns: string[]; readonly state: string }) =>
        columns.includes('public.patients.email') && state === 'decrypt-only',
    );
    await done('audit', 'sequence', '--once');
    const { events } = await done('keys', 'destroy', old.id, '--dry-run');
    assert.ok(events >= ROWS, `${events} events tell of values that were sealed, taken out of plaintext or sealed anew`);
    await done('decrypt', 'public.patients.email', '--no-wait', '--yes');
    const { rows } = await pool.query(
      `select count(email)::integer as n from patients where email = 'person' || id || '@example.org'`,
    );
    assert.deepEqual(rows, [{ n: ROWS }]);

    await done('audit', 'sequence', '--once');
    const { rows: told } = await pool.query(
      `select attribution, actor is not null as named, count(*) > 0 as some from safekeep.audit_events where kind = 'change' and table_name = 'public.patients' group by 1, 2 order by 1`,
    );
    assert.deepEqual(
      told.filter(({ attribution }) => attribution === 'signed'),
      [{ attribution: 'signed', named: true, some: true }],
    );
    const { rows: own } = await pool.query(
      `select distinct actor, attribution from safekeep.audit_events where kind = 'change' and actor like 'safekeep%'`,
    );
    assert.deepEqual(own, [{ actor: 'safekeep:encryption', attribution: 'signed' }]);
  });

test('a person is found by an encrypted column whose only index is the one that keeps it unique', async (t) => {
  const { done, mapFile } = await clinic(t, '');
  await writeFile(mapFile, mapOf('').replace('key: id }', 'key: id, find_by: [email] }'));
  await done('apply', '--yes');
  await done('encrypt', 'public.patients.email', '--mode', 'database', '--search', 'unique', '--yes');
  await done('encrypt', 'finish', 'public.patients.email', '--no-wait', '--yes');
  const { matches } = await done('subject', 'find', 'person77@example.org');
  assert.deepEqual(
    matches.map(({ subject, exact }: { readonly subject: string; readonly exact: boolean }) => [subject, exact]),
    [['patient:77', true]],
  );
});

test('an encrypted column of an audited table that was renamed is taken over, and its log goes on under the new name', async (t) => {
  const { pool, done, mapFile } = await clinic(t, '');
  await done('apply', '--yes');
  await done('encrypt', 'public.patients.email', '--yes');
  await pool.query('alter table patients rename column email to mail');
  await writeFile(mapFile, (await readFile(mapFile, 'utf8')).replace(/^ {6}email:/m, '      mail:'));
  await done('encrypt', 'public.patients.mail', '--take-over', '--yes');
  await done('apply', '--yes');
  await pool.query(`update patients set mail = 'newer@example.org', ward = 'west' where id = 7`);
  await done('audit', 'sequence', '--once');
  const { rows } = await pool.query(
    `select columns from safekeep.audit_events where kind = 'change' and table_name = 'public.patients' and columns ? 'ward'`,
  );
  assert.deepEqual(rows, [{ columns: ['mail', 'mail_encrypted', 'ward'] }]);
  await done('audit', 'verify', '--full');
  await done('decrypt', 'public.patients.mail', '--no-wait', '--yes');
  assert.deepEqual((await pool.query('select mail from patients where id in (7, 8) order by id')).rows, [
    { mail: 'newer@example.org' },
    { mail: 'person8@example.org' },
  ]);
});

test('of what was encrypted before the first apply nothing is called the user’s when all is taken out', async (t) => {
  const { pool, done } = await clinic(t, '');
  await done('encrypt', 'public.patients.email', '--search', 'exact', '--accept-leak', '--yes');
  await done('encrypt', 'finish', 'public.patients.email', '--no-wait', '--yes');
  await done('apply', '--yes');
  await pool.query('alter table patients add column bed integer; alter table patients alter ward set default $$east$$');
  const { restored, changedSince } = await done('unapply', '--no-wait', '--yes');
  assert.deepEqual(
    [restored, changedSince],
    [false, ['added: column public.patients.bed', 'changed: column public.patients.ward']],
  );
  const { rows } = await pool.query(
    `select attname as name, attnotnull as full from pg_attribute where attrelid = 'patients'::regclass and attnum > 0 and not attisdropped order by attnum`,
  );
  assert.deepEqual(
    rows.map(({ name, full }) => [name, full]),
    [
      ['id', true],
      ['email', true],
      ['ward', false],
      ['bed', false],
    ],
  );
});

test('a login that is not the owner gains no proof by saying that it is Safekeep', async (t) => {
  const { pool } = await testDatabase(t, { migrated: true });
  await pool.query(`select safekeep.make_actor_key('default')`);
  const proofAs = async (role: string): Promise<unknown> => {
    const client = await pool.connect();
    try {
      await client.query(`begin; set local role ${role}`);
      await client.query(`select safekeep.act_as_safekeep('default', 'safekeep:encryption')`);
      const { rows } = await client.query(
        `select current_setting('safekeep.actor') as actor, current_setting('safekeep.proof') <> '' as proven`,
      );
      return rows[0];
    } finally {
      await client.query('rollback');
      client.release();
    }
  };
  assert.deepEqual(await proofAs('safekeep_owner'), { actor: 'safekeep:encryption', proven: true });
  for (const role of ['safekeep_app', 'safekeep_auditor'])
    assert.deepEqual(await proofAs(role), { actor: 'safekeep:encryption', proven: false }, role);
});
