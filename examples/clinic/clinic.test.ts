import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { testDatabase } from '@safekeep/postgres/testing';
import { safekeepAtHand, temporaryHome } from 'safekeep/testing';
import { clinicApp } from './app.ts';
import { openClinic } from './database.ts';

const FOLDER = import.meta.dirname;
const TOKEN = 'the-token-of-dr-may';

/** The clinic as its README sets it up: its own login, the map applied, two columns encrypted and their plaintext gone. */
async function openedClinic(t: TestContext) {
  const home = await temporaryHome(t);
  const endings: (() => Promise<unknown>)[] = [];
  t.after(async () => {
    for (const end of endings.toReversed()) await end();
  });
  const made = await testDatabase();
  endings.push(() => made[Symbol.asyncDispose]());
  const { pool, url } = made;
  const login = `clinic_${randomBytes(4).toString('hex')}`;
  const cli = async (...args: string[]) => {
    const settings = ['--db', url.reveal(), '--home', home, '--map', join(FOLDER, 'datamap.yaml'), '--yes', '--json'];
    const { code, stdout, stderr } = await safekeepAtHand([...args, ...settings]);
    assert.equal(code, 0, `${stderr}${stdout}`);
    return stdout;
  };
  await pool.query(await readFile(join(FOLDER, 'schema.sql'), 'utf8'));
  await cli('encrypt', 'patients.email', '--search', 'exact');
  await cli('encrypt', 'patients.ssn');
  for (const column of ['patients.email', 'patients.ssn']) await cli('encrypt', 'finish', column, '--no-wait');
  await cli('apply');
  await pool.query(
    `create role ${login} login password 'clinic' in role safekeep_client; grant select, insert, update on patients, visits to ${login}`,
  );
  endings.push(() => pool.query(`drop owned by ${login}; drop role ${login}`));
  const own = new URL(url.reveal());
  [own.username, own.password] = [login, 'clinic'];
  const key = JSON.parse(await cli('audit', 'actor-key'));
  const actorKey = { keyId: key.keyId, secret: Buffer.from(key.secret, 'hex') };
  const clinic = await openClinic({ SAFEKEEP_DATABASE_URL: own.href, SAFEKEEP_HOME: home }, actorKey);
  const app = clinicApp(clinic, new Map([[createHash('sha256').update(TOKEN).digest('hex'), 'dr-may']]));
  endings.push(clinic.close, () => app.close());
  const call = async (method: 'GET' | 'POST' | 'PATCH', path: string, payload?: object, token = TOKEN) => {
    const headers = { authorization: `Bearer ${token}` };
    const response = await app.inject({ method, url: path, headers, ...(payload === undefined ? {} : { payload }) });
    return { status: response.statusCode, body: response.body === '' ? undefined : response.json() };
  };
  return { pool, call, cli };
}

test('the staff works on encrypted columns as on plain ones, and the log knows who did what', async (t) => {
  const { pool, call, cli } = await openedClinic(t);
  const made = await call('POST', '/patients', { full_name: 'Dee Okafor', email: 'dee@example.org', ssn: '078-05-1120' });
  assert.deepEqual(made, { status: 201, body: { id: 61 } });
  assert.deepEqual((await call('POST', '/patients/search', { email: 'dee@example.org' })).body, {
    patients: [{ id: 61, full_name: 'Dee Okafor', email: 'dee@example.org' }],
  });
  assert.equal((await call('PATCH', '/patients/1', { email: 'ada@example.net' })).status, 204);
  assert.deepEqual((await call('GET', '/patients/1')).body, {
    id: 1,
    full_name: 'Patient 1',
    email: 'ada@example.net',
    ssn: '536-90-1001',
  });
  assert.equal((await call('POST', '/patients/61/visits', { day: '2026-11-29', note: 'first visit' })).status, 201);
  assert.deepEqual((await call('POST', '/patients/search', { email: 'patient1@example.org' })).body, { patients: [] });

  const { rows } = await pool.query('select count(email)::integer as emails, count(ssn)::integer as numbers from patients');
  assert.deepEqual(rows, [{ emails: 0, numbers: 0 }], 'no plaintext stands in the table');
  const { rows: leaks } = await pool.query(`select from patients as p where p::text like '%example%' or p::text like '%078-05%'`);
  assert.deepEqual(leaks, []);
  await cli('audit', 'sequence', '--once');
  const events = (await cli('audit', 'search', '--table', 'public.patients', '--action', 'update'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.ok(
    events.some(({ actor, record }) => JSON.stringify(actor).includes('dr-may') && String(record).includes('1')),
    JSON.stringify(events),
  );
  assert.equal(JSON.parse(await cli('audit', 'verify')).ok, true);
});

test('a stranger is turned away, and whoever sends nonsense learns nothing of the database', async (t) => {
  const { pool, call } = await openedClinic(t);
  assert.equal((await call('GET', '/patients/1', undefined, 'another')).status, 401);
  assert.equal((await call('GET', '/patients/0')).status, 400);
  assert.equal((await call('GET', "/patients/1'%20or%201=1")).status, 400);
  assert.equal((await call('PATCH', '/patients/1', { ssn: "1'; drop table patients; --" })).status, 400);
  assert.equal((await call('PATCH', '/patients/99', { full_name: 'Nobody' })).status, 404);
  assert.deepEqual(await call('POST', '/patients/99/visits', { day: '2026-11-29', note: 'of nobody' }), {
    status: 500,
    body: { error: 'internal' },
  });
  const quoted = `O'Brien"; drop table visits; --\u202e`;
  const made = await call('POST', '/patients', { full_name: quoted, email: quoted });
  assert.equal(made.status, 201);
  assert.equal((await call('GET', `/patients/${made.body.id}`)).body.email, quoted);
  assert.equal((await call('POST', '/patients/search', { email: quoted })).body.patients.length, 1);
  await assert.rejects(
    pool.query(`update patients set full_name = 'x' where id = 1`),
    /actor/,
    'nobody changes anything without a proof',
  );
});
