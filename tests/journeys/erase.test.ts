import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import pg from 'pg';
import { testDatabase } from '@safekeep/postgres/testing';
import { safekeep, safekeepAtHand, temporaryHome } from 'safekeep/testing';

const CLINIC = `
  create table patients (id integer primary key, name text not null, email text not null, ward text, phone text);
  create table visits (id integer primary key, patient_id integer not null references patients, note text);
  create table invoices (id integer primary key, patient_id integer not null references patients, addressed_to text not null, issued_on date not null);
  create table receipts (id integer primary key, patient_id integer not null references patients, payer text, issued_on date not null);
  create table links (id integer primary key, patient_id integer not null references patients);
  insert into patients values (41, 'Bo Lindqvist', 'bo.lindqvist@example.org', 'east', null), (42, 'Ada Quennell', 'ada.quennell@example.org', 'west', '0911 4711 42');
  insert into patients select n, 'Nobody ' || n, 'nobody' || n || '@example.org', 'south', '0700 ' || n from generate_series(1001, 3000) as n;
  insert into visits values (1, 41, 'Bo slept well'), (2, 42, 'Quennell asked for tea');
  insert into invoices values (1, 42, 'Ada Quennell', current_date - 30);
  insert into receipts values (2, 41, 'Bo Lindqvist paid before', current_date - 3000)`;

/** Of Ada, and no other number has its digits. */
const VISIT = '710071003';

const MAP = `version: 1
purposes:
  care: { use: essential.service, basis: contract, condition: health_care, retention: 10y }
  billing: { use: essential.service, basis: legal_obligation, retention: 10y }
subjects:
  patient: { table: patients, key: id, find_by: [email, name], label: name }
tables:
  patients:
    purposes: [care]
    audit: { writes: true }
    columns:
      id: { category: user.unique_id }
      name: { category: user.name, erase: { replace: Erased } }
      email: { category: user.contact.email }
      ward: { category: none, note: where the bed stands }
      phone: { category: user.contact.phone_number }
  visits:
    of: { patient: patient_id }
    purposes: [care]
    audit: { writes: true }
    columns:
      id: { category: none, note: a number }
      patient_id: { category: user.unique_id }
      note: { category: user.health_and_medical, erase: { replace: erased } }
  invoices:
    of: { patient: patient_id }
    purposes: [billing]
    audit: { writes: true }
    retention: { after: issued_on, keep: 10y, then: delete, cite: tax code }
    on_erasure: { keep: legal_obligation, cite: tax code }
    columns:
      id: { category: none, note: a number }
      patient_id: { category: user.unique_id }
      addressed_to: { category: user.name }
      issued_on: { category: none, note: a day }
  receipts:
    of: { patient: patient_id }
    purposes: [billing]
    audit: { writes: true }
    retention: { after: issued_on, keep: 1y, then: delete, cite: tax code }
    on_erasure: { keep: legal_obligation, cite: tax code, until: issued_on + 1y }
    columns:
      id: { category: none, note: a number }
      patient_id: { category: user.unique_id }
      payer: { category: user.name }
      issued_on: { category: none, note: a day }
  links:
    of: { patient: patient_id }
    purposes: [care]
    columns:
      id: { category: none, note: a number }
      patient_id: { category: none, note: a number }
`;

type Kept = { readonly table: string; readonly basis: string | null };

async function workplace(t: TestContext) {
  const folder = await temporaryHome(t);
  const { pool, url } = await testDatabase(t);
  const mapFile = join(folder, 'datamap.yaml');
  await pool.query(CLINIC);
  await writeFile(mapFile, MAP);
  // The result is what a script would get: JSON without a type; the test holds the parts that it looks at against values.
  const all = (args: readonly string[]) => [
    ...args,
    '--db',
    url.reveal(),
    '--home',
    join(folder, 'home'),
    '--map',
    mapFile,
    '--json',
  ];
  const call = async (...args: string[]) => {
    const { code, stdout, stderr } = await safekeepAtHand(all(args));
    return { code, stdout, stderr, result: documentOf(stdout) };
  };
  const done = async (...args: string[]) => {
    const ended = await call(...args);
    assert.equal(ended.code, 0, `${args.join(' ')}: ${ended.stdout} ${ended.stderr}`);
    return ended;
  };
  /** One that works until it is stopped. */
  const start = (...args: string[]) => {
    const begun = Promise.withResolvers<void>();
    let kill: (signal: NodeJS.Signals) => void = () => undefined;
    const ended = safekeep(all(args), {
      onStderr: (_text, send) => {
        kill = send;
        begun.resolve();
      },
    });
    return { begun: begun.promise, ended, stop: () => kill('SIGTERM') };
  };
  return { folder, pool, call, done, start };
}

test(
  'a person is exported and erased: from tables, encrypted columns, the log and all that Safekeep keeps, and it can be proven',
  { timeout: 300_000 },
  async (t) => {
    const { folder, pool, call, done } = await workplace(t);
    await done('apply', '--yes');
    await done('encrypt', 'public.patients.email', '--mode', 'client', '--search', 'exact', '--accept-leak', '--yes');
    await done('encrypt', 'finish', 'public.patients.email', '--no-wait', '--yes');
    await done('encrypt', 'public.patients.phone', '--mode', 'database', '--yes');
    await done('encrypt', 'finish', 'public.patients.phone', '--no-wait', '--yes');
    const sealedBefore = await sealedOf(pool);
    for (const statement of [
      `update patients set name = 'Ada M. Quennell' where id = 42`,
      `insert into visits values (${VISIT}, 42, 'Ada Quennell went home'), (4, 41, 'Bo stays')`,
      `update invoices set addressed_to = 'Ada M. Quennell' where id = 1`,
    ])
      await pool.query(`begin; select safekeep.set_actor('dr.who', 'care', null); ${statement}; commit`);

    await done('audit', 'sequence', '--once');
    const found = await done('subject', 'find', 'ada.quennell@example.org');
    assert.deepEqual([found.result.matches[0].subject, found.result.matches[0].exact], ['patient:42', true]);
    const index = (await done('audit', 'search', '--table', 'public.visits', '--record', VISIT)).stdout;
    const { id: event } = JSON.parse(index.split('\n')[0] ?? '');
    const proof = join(folder, 'event.tlog-proof');
    await done('audit', 'proof', event, '--out', proof);

    const exported = join(folder, 'export.json');
    const { result: given } = await done('subject', 'export', 'patient:42', '--format', 'json', '--out', exported);
    assert.deepEqual(given.withheld, [], 'indexes of ours are no columns of the user');
    const document = JSON.parse(await readFile(exported, 'utf8'));
    assert.ok(JSON.stringify(document.tables).includes('ada.quennell@example.org'), 'the sealed value is in clear');
    assert.ok(document.accessLog.some(({ actor }: { actor: string }) => /^somebody no\. [0-9a-f]{8}$/.test(actor)));

    const { result: plan } = await done('subject', 'erase', 'patient:42', '--plan');
    assert.deepEqual(
      plan.notes.filter((note: string) => /\bthe trigger\b/.test(note)),
      [],
      'triggers of ours are no news to whoever approves',
    );
    const { result: erased } = await done('subject', 'erase', 'patient:42', '--approve', plan.hash, '--yes');
    assert.deepEqual([erased.state, erased.verified], ['done', true], JSON.stringify(erased));

    const { text: vkey } = (await done('audit', 'vkey')).result;
    await done('certificate', 'verify', erased.certificate, '--vkey', vkey);
    const { document: certificate } = JSON.parse(await readFile(erased.certificate, 'utf8'));
    assert.ok(certificate.keysDestroyed.length > 0);
    assert.ok(certificate.participants.find(({ name }: { name: string }) => name === 'audit').counts['safekeep.audit_events'] > 0);

    const whole = await done('audit', 'verify', '--full');
    assert.deepEqual([whole.result.ok, whole.result.faults], [true, []]);
    await done('audit', 'verify', '--proof', proof, '--vkey', vkey);
    for (let turn = 0; turn < 3; turn += 1) await done('audit', 'sequence', '--once');

    await assertOnlyKept(pool, ['Quennell', 'ada.quennell@example.org', '0911 4711 42'], ['patient:42']);
    const ofKey = (await places(pool, [VISIT])).filter((place) => place.startsWith('safekeep'));
    assert.deepEqual(ofKey, [], 'nor can her events be put together by the key of a row, though the map calls it not personal');
    const sealedAfter = await sealedOf(pool);
    assert.ok(sealedBefore.every((text) => text !== null));
    assert.deepEqual(sealedAfter.slice(2), [null], 'a sealed value that may be empty is');
    for (const place of [0, 1]) assert.notEqual(sealedAfter[place], sealedBefore[place]);
    assert.notEqual(sealedAfter[0], null, 'one that must not be empty is another, under a mask');
    for (const identifier of ['ada.quennell@example.org', 'Quennell']) {
      const { result } = await call('subject', 'find', identifier);
      assert.deepEqual(result.matches, [], identifier);
    }
    const bo = await done('subject', 'find', 'bo.lindqvist@example.org');
    assert.equal(bo.result.matches[0].subject, 'patient:41', 'the others are as they were');
    const history = await done('audit', 'history', 'public.visits:4');
    assert.ok(history.stdout.includes('Bo stays'));
    const kept = await done('audit', 'history', 'public.invoices:1');
    assert.ok(kept.stdout.includes('Ada M. Quennell'), 'what must be kept keeps its history');
    const own = (await done('audit', 'search', '--kind', 'compliance')).stdout;
    for (const action of ['subject-erase-planned', 'subject-erase-done', 'encrypt-finish-done', 'key-shred'])
      assert.ok(own.includes(action), action);

    const refused = await call('subject', 'erase', 'patient:41', '--approve', '0'.repeat(64), '--yes');
    assert.equal(refused.code === 0, false);
    await done('audit', 'sequence', '--once');
    assert.ok((await done('audit', 'search', '--kind', 'security')).stdout.includes('subject-erase-refused'));

    await pool.query(
      `insert into receipts values (1, 41, 'Bo Lindqvist pays', current_date - 3000); insert into links values (1, 41)`,
    );
    await pool.query(`update receipts set payer = 'Bo Lindqvist paid' where id = 1`);
    const { result: last } = await done('subject', 'erase', 'patient:41', '--plan');
    assert.ok(last.kept.some(({ table, basis }: Kept) => table === 'public.links' && basis === 'not_personal'));
    await done('subject', 'erase', 'patient:41', '--approve', last.hash, '--yes');
    const forgotten = await done('audit', 'history', 'public.receipts:1');
    assert.doesNotMatch(
      forgotten.stdout,
      /Lindqvist|patient:41/,
      'no duty goes on, though a row stays in which nothing is personal',
    );
  },
);

test(
  'two people are erased at once while a sequencer and an application work: nobody waits for ever, nothing is lost',
  { timeout: 300_000 },
  async (t) => {
    const { pool, call, done, start } = await workplace(t);
    await done('apply', '--yes');
    const plans = [];
    for (const subject of ['patient:41', 'patient:42'])
      plans.push({ subject, hash: (await done('subject', 'erase', subject, '--plan')).result.hash });
    const sequencer = start('audit', 'sequence');
    await sequencer.begun;
    const over = new AbortController();
    t.after(async () => {
      over.abort();
      sequencer.stop();
      await sequencer.ended;
    });
    const application = (async () => {
      let writes = 0;
      for (; !over.signal.aborted; writes += 1)
        await pool.query(`update patients set ward = 'ward ' || $1 where id between 1001 and 1020`, [writes]);
      return writes;
    })();
    const erasures = await Promise.all(
      plans.map(({ subject, hash }) => call('subject', 'erase', subject, '--approve', hash, '--yes')),
    );
    over.abort();
    const writes = await application;
    for (const { result, stderr } of erasures) assert.deepEqual([result?.state, result?.verified], ['done', true], stderr);
    sequencer.stop();
    assert.equal((await sequencer.ended).code, 0);

    const whole = await done('audit', 'verify', '--full');
    assert.deepEqual([whole.result.ok, whole.result.faults], [true, []]);
    for (let turn = 0; turn < 3; turn += 1) await done('audit', 'sequence', '--once');
    await assertOnlyKept(pool, ['Quennell', 'ada.quennell@example.org', 'Lindqvist'], ['patient:41', 'patient:42']);
    const { rows } = await pool.query(
      `select count(*)::integer as events from safekeep.audit_events where table_name = 'public.patients' and action = 'update' and subject = 'patient:1001'`,
    );
    assert.equal(rows[0]?.events, writes, 'every write of the application is in the log once');
  },
);

test(
  'what a waiting statement writes back behind the erasure is erased too, and nothing of it stays in the log either',
  { timeout: 300_000 },
  async (t) => {
    const { pool, call, done } = await workplace(t);
    await done('apply', '--yes');
    const { hash } = (await done('subject', 'erase', 'patient:42', '--plan')).result;
    const [barrier, writer] = [await pool.connect(), await pool.connect()];
    try {
      // The erasure locks the person first, and then waits for this row of theirs.
      await barrier.query('begin; select from visits where id = 2 for update');
      const erasing = call('subject', 'erase', 'patient:42', '--approve', hash, '--yes');
      await untilBlocked(pool, 1);
      await writer.query('begin');
      const written = writer
        .query(`update patients set name = 'Ada Quennell of old' where id = 42`)
        .then(() => writer.query(`insert into visits values (99, 42, 'Quennell came once more'); commit`));
      await untilBlocked(pool, 2);
      await barrier.query('rollback');
      await written;
      const { result, stderr } = await erasing;
      assert.deepEqual([result?.state, result?.verified], ['done', true], stderr);
    } finally {
      barrier.release();
      writer.release();
    }
    const whole = await done('audit', 'verify', '--full');
    assert.deepEqual([whole.result.ok, whole.result.faults], [true, []]);
    for (let turn = 0; turn < 3; turn += 1) await done('audit', 'sequence', '--once');
    await assertOnlyKept(pool, ['Quennell'], ['patient:42']);
  },
);

async function untilBlocked(pool: pg.Pool, sessions: number): Promise<void> {
  for (;;) {
    const { rows } = await pool.query<{ count: number }>(
      `select count(*)::integer as count from pg_stat_activity where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0`,
    );
    if (rows[0]?.count === sessions) return;
  }
}

/** Of what the plan keeps, the invoices, stay the name on them and whose history theirs is; nothing else of these people does. */
async function assertOnlyKept(pool: pg.Pool, words: readonly string[], subjects: readonly string[]): Promise<void> {
  assert.deepEqual(await places(pool, words), ['public.invoices.addressed_to']);
  const { rows } = await pool.query<{ table_name: string | null }>(
    'select distinct table_name from safekeep.audit_events where subject = any ($1::text[]) or other_subjects && $1::text[]',
    [subjects],
  );
  for (const { table_name } of rows) assert.equal(table_name, 'public.invoices');
  // Of the history that is kept, and of what statistics sampled of it.
  const isKept = (place: string): boolean =>
    /^(safekeep\.audit_events_\d{4}_\d{2}\.subject|statistics of audit_events(_\d{4}_\d{2})?)$/.test(place);
  const named = (await places(pool, subjects)).filter((place) => !isKept(place));
  assert.deepEqual(named, []);
}

/** Of the patient: ciphertext and blind index of the address, which must be there, and ciphertext of the telephone, which need not. */
async function sealedOf(pool: pg.Pool): Promise<readonly (string | null)[]> {
  const { rows } = await pool.query<(string | null)[]>({
    text: 'select email_encrypted::text, email_exact_index::text, phone_encrypted::text from patients where id = 42',
    rowMode: 'array',
  });
  assert.ok(rows[0]);
  return rows[0];
}

/** Undefined where lines were streamed. */
function documentOf(stdout: string) {
  return stdout.startsWith('{\n') ? JSON.parse(stdout) : undefined;
}

/** Every column of every table of the database whose text or bytes hold one of these. */
async function places(pool: pg.Pool, words: readonly string[]): Promise<readonly string[]> {
  const { rows: columns } = await pool.query<{ schema: string; table: string; column: string; type: string }>(
    `select n.nspname as schema, c.relname as table, a.attname as column, t.typname as type
       from pg_attribute as a join pg_class as c on c.oid = a.attrelid join pg_namespace as n on n.oid = c.relnamespace
       join pg_type as t on t.oid = a.atttypid
      where c.relkind = 'r' and a.attnum > 0 and not a.attisdropped and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')`,
  );
  const found: string[] = [];
  for (const { schema, table, column, type } of columns) {
    const [name, from] = [pg.escapeIdentifier(column), `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(table)}`];
    const condition =
      type === 'bytea' ? `position(convert_to(word, 'UTF8') in ${name}) > 0` : `position(lower(word) in lower(${name}::text)) > 0`;
    const { rowCount } = await pool.query(`select from ${from}, unnest($1::text[]) as word where ${condition} limit 1`, [words]);
    if (rowCount !== 0) found.push(`${schema}.${table}.${column}`);
  }
  const { rows: sampled } = await pool.query<{ place: string }>(
    `select distinct 'statistics of ' || s.tablename as place from pg_stats as s, unnest($1::text[]) as word
      where s.schemaname not in ('pg_catalog', 'information_schema')
        and position(lower(word) in lower(coalesce(s.most_common_vals::text, '') || coalesce(s.histogram_bounds::text, ''))) > 0`,
    [words],
  );
  found.push(...sampled.map(({ place }) => place));
  return found.toSorted();
}
