import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { systemClock } from '@safekeep/core';
import { createSigningKey, signingKeyFromPem } from '@safekeep/crypto';
import { testDatabase, testServers } from '@safekeep/postgres/testing';
import { TENANT, writtenLog, type Told } from '../testing/written-log.ts';
import { accessLog, searchEvents, subjectHistory } from './answer.ts';
import { exportEvents } from './export-events.ts';
import type { ExportFormat } from './formats.ts';
import type { EventFilter, EventView } from './model.ts';
import { namingOf } from './naming.ts';
import { complianceReport, reportMarkdown } from './report.ts';
import { parsePlace } from './view.ts';

const EVENTS = 240;
const NAMES = { tenant: TENANT, naming: 'names' } as const;
/** One event each second from 2026-11-01; every third is an access. */
const tell = (index: number): Told => ({
  kind: index % 3 === 0 ? 'access' : 'change',
  action: index % 3 === 0 ? 'read' : index % 3 === 1 ? 'insert' : 'update',
  table: index % 2 === 0 ? 'public.patients' : 'public.invoices',
  record: String(index % 20),
  subject: `patient:${index % 10}`,
  otherSubjects: index % 40 === 0 ? ['patient:99'] : null,
  columns: index % 3 === 1 ? null : ['phone', 'last_name'],
  actor: index % 5 === 0 ? 'system:nightly-import' : index % 7 === 0 ? null : 'Dr. Ann Lee',
  attribution: index % 5 === 0 ? 'system' : 'signed',
  purpose: 'treatment',
  request: `r-${index}`,
  details: { new: { state: index % 3 === 2 ? 'past due' : 'paid', note: `=1+${index}` } },
});

async function bench(t: TestContext) {
  const made = await testDatabase(t, { migrated: true, server: testServers()[0] });
  const log = await writtenLog(made.pool);
  await log.write(EVENTS, tell);
  const all = async (filter: EventFilter, limit = 37): Promise<readonly EventView[]> => {
    const events: EventView[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const after = parsePlace(cursor);
      const page = await searchEvents(made.database, TENANT, filter, { limit, ...(after === undefined ? {} : { after }) });
      events.push(...page.events);
      cursor = page.next;
    }
    return events;
  };
  return { ...made, log, all };
}

const indexes = (matches: (told: Told, index: number) => boolean): number[] =>
  Array.from({ length: EVENTS }, (_, index) => index)
    .filter((index) => matches(tell(index), index))
    .toReversed();

test('every filter finds what fits and nothing else, page by page, newest first', async (t) => {
  const { all } = await bench(t);
  const at = (index: number): string => new Date(Date.parse('2026-11-01T00:00:00Z') + index * 1000).toISOString();
  const cases: readonly (readonly [EventFilter, (told: Told, index: number) => boolean])[] = [
    [{}, () => true],
    [{ table: 'public.patients' }, ({ table }) => table === 'public.patients'],
    [{ table: 'public.patients', record: '4' }, ({ table, record }) => table === 'public.patients' && record === '4'],
    [{ subject: 'patient:3' }, ({ subject }) => subject === 'patient:3'],
    [{ subject: 'patient:99' }, ({ otherSubjects }) => otherSubjects?.includes('patient:99') === true],
    [{ actor: 'Dr. Ann Lee' }, ({ actor }) => actor === 'Dr. Ann Lee'],
    [{ action: 'update', kind: 'change' }, ({ action }) => action === 'update'],
    [{ kind: 'access' }, ({ kind }) => kind === 'access'],
    [{ purpose: 'marketing' }, () => false],
    [{ request: 'r-17' }, ({ request }) => request === 'r-17'],
    [{ from: at(100), to: at(110) }, (_, index) => index >= 100 && index < 110],
    [{ text: '"past due"' }, (_, index) => index % 3 === 2],
    [{ text: 'paid -"past due"', actor: 'Dr. Ann Lee' }, ({ actor }, index) => index % 3 !== 2 && actor === 'Dr. Ann Lee'],
    [{ table: `public.patients' or true --` }, () => false],
  ];
  for (const [filter, matches] of cases) {
    const found = await all(filter);
    assert.deepEqual(
      found.map(({ index }) => index),
      indexes(matches),
      JSON.stringify(filter),
    );
  }
});

test('pages neither lose nor double an event while new ones are written', async (t) => {
  const { database, log } = await bench(t);
  const seen: number[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const after = parsePlace(cursor);
    const page = await searchEvents(database, TENANT, {}, { limit: 50, ...(after === undefined ? {} : { after }) });
    seen.push(...page.events.map(({ index }) => index));
    cursor = page.next;
    await log.write(3, tell);
  }
  assert.deepEqual(
    seen,
    indexes(() => true),
  );
});

test('a place that is none of ours is none', () => {
  for (const text of ['', 'x', Buffer.from('[1,2]').toString('base64url'), Buffer.from('["now",1,2]').toString('base64url')]) {
    assert.equal(parsePlace(text), undefined);
  }
});

test('an event is shown with what changed, whose it is and how sure its actor is', async (t) => {
  const { database } = await bench(t);
  const { events } = await subjectHistory(database, TENANT, 'patient:9', { limit: 1 });
  const { id, at, sequencedAt, ...event } = events[0] ?? assert.fail();
  assert.match(id, /^[0-9a-f-]{36}$/);
  assert.match(`${at} ${sequencedAt}`, /^2026-11-01T00:03:59.000000Z \S+Z$/);
  assert.deepEqual(event, {
    index: 239,
    kind: 'change',
    action: 'update',
    table: 'public.invoices',
    record: '19',
    subject: 'patient:9',
    actor: 'Dr. Ann Lee',
    actorState: 'signed',
    purpose: 'treatment',
    request: 'r-239',
    columns: ['phone', 'last_name'],
    changes: [
      { column: 'note', before: null, after: '=1+239' },
      { column: 'state', before: null, after: 'past due' },
    ],
    erased: false,
  });
  const { events: own } = await searchEvents(database, TENANT, { actor: 'system:nightly-import' }, { limit: 2 });
  assert.deepEqual(
    own.map(({ index }) => index),
    [235, 230],
  );
});

test('a person is told in plain sentences who looked and who changed, machines by their name', async (t) => {
  const { database, pool } = await bench(t);
  const { events } = await accessLog(database, NAMES, { subject: 'patient:5' }, { limit: 3 });
  assert.deepEqual(
    events.map(({ machine, sentence }) => [machine, sentence]),
    [
      [
        true,
        'On 1 November 2026 at 00:03 UTC, the program nightly-import (not a person) added your entry in invoices. The reason given was treatment.',
      ],
      [
        true,
        'On 1 November 2026 at 00:03 UTC, the program nightly-import (not a person) looked at your entry in invoices: phone and last name. The reason given was treatment.',
      ],
      [
        true,
        'On 1 November 2026 at 00:03 UTC, the program nightly-import (not a person) changed your entry in invoices: phone and last name. The reason given was treatment.',
      ],
    ],
  );
  const { events: others } = await accessLog(database, NAMES, { subject: 'patient:7' }, { limit: 40 });
  assert.ok(
    others.some(({ sentence }) => sentence.startsWith('On 1 November 2026 at 00:00 UTC, somebody whose name was not given ')),
  );
  assert.ok(others.some(({ sentence, machine }) => !machine && sentence.includes('UTC, Dr. Ann Lee looked at your entry in ')));
  await pool.query(
    `update safekeep.audit_events set commitments = safekeep.close_commitments(commitments, record, subject, other_subjects, true, sealed, '{}'), attribution = 'claimed' where leaf_index = 239`,
  );
  const { events: erased } = await accessLog(database, NAMES, { subject: 'patient:9' }, { limit: 1 });
  assert.match(
    erased[0]?.sentence ?? '',
    /Dr. Ann Lee \(by their own account\) changed .* What exactly was in it has been erased\.$/,
  );
});

test('who acted is a number for each person told, with a role where there is one, unless names are asked for', async (t) => {
  const { database, pool } = await bench(t);
  const naming = namingOf('pseudonyms', signingKeyFromPem(createSigningKey(), 'home-1'));
  const told = async (subject: string) =>
    (await accessLog(database, { tenant: TENANT, naming }, { subject }, { limit: 100 })).events;
  const named = (await accessLog(database, NAMES, { subject: 'patient:7' }, { limit: 100 })).events;
  const [seven, nine] = [await told('patient:7'), await told('patient:9')];
  for (const lines of [seven, nine]) assert.equal(JSON.stringify(lines).includes('Ann Lee'), false);
  assert.deepEqual(seven, await told('patient:7'), 'the same each time');
  const annIs = (lines: typeof seven) => lines.find(({ actor }) => actor?.startsWith('somebody no. '))?.actor;
  assert.match(annIs(seven) ?? '', /^somebody no\. [0-9a-f]{8}$/);
  assert.notEqual(annIs(seven), annIs(nine), 'two people cannot compare whom they have met');
  assert.ok(seven.some(({ sentence }) => /UTC, somebody no\. [0-9a-f]{8} looked at your entry in /.test(sentence)));
  const programs = (lines: typeof seven) => lines.filter(({ machine }) => machine).map(({ sentence }) => sentence);
  assert.deepEqual(programs(seven), programs(named), 'programs keep their names');
  await pool.query(
    `update safekeep.audit_events set actor = case leaf_index / 10 % 2 when 0 then 'head_nurse:ann' else 'patient:7' end, attribution = 'signed' where subject = 'patient:7' and actor = 'Dr. Ann Lee'`,
  );
  const roles = new Set(
    (await told('patient:7'))
      .filter(({ machine }) => !machine)
      .map(({ sentence }) => /UTC, (.*?) (looked|changed|added|deleted|tried)/.exec(sentence)?.[1]?.replace(/[0-9a-f]{8}/, 'N')),
  );
  assert.ok(roles.has('head nurse no. N'));
  assert.ok(roles.has('you yourself'));
  const other = await accessLog(
    database,
    { tenant: TENANT, naming: namingOf('pseudonyms', signingKeyFromPem(createSigningKey(), 'home-1')) },
    { subject: 'patient:9' },
    { limit: 100 },
  );
  assert.notEqual(annIs(other.events), annIs(nine), 'without the key of the home nobody can try names');
});

test('a report counts a period, its actors, its silence and its attestations, and nothing in it steers a page', async (t) => {
  const { database, log } = await bench(t);
  const odd: Told[] = [
    {
      kind: 'compliance',
      action: 'attested',
      table: null,
      actor: '<b>|*x*\nname',
      attribution: 'system',
      at: '2026-11-02T10:00:00.000000Z',
      details: { ok: true },
    },
    {
      kind: 'compliance',
      action: 'attested',
      table: null,
      at: '2026-11-02T11:00:00.000000Z',
      details: { ok: 'an application said so' },
    },
    {
      kind: 'security',
      action: 'capture-broken',
      attribution: 'system',
      table: null,
      at: '2026-11-03T10:00:00.000000Z',
      details: { ok: false },
    },
  ];
  await log.write(odd.length, (index) => odd[index - EVENTS] ?? assert.fail());
  const period = { from: '2026-11-01T00:00:00.000Z', to: '2026-11-04T00:00:00.000Z', now: systemClock.now() };
  const report = await complianceReport(database, TENANT, period);
  assert.equal(report.events, EVENTS + 3);
  assert.deepEqual(
    report.counts.find(({ action, table }) => action === 'insert' && table === 'public.patients'),
    { kind: 'change', action: 'insert', table: 'public.patients', events: 40 },
  );
  assert.deepEqual(
    report.attestations.map(({ action, events, details }) => [action, events, details]),
    [
      ['attested', 1, { ok: true }],
      ['capture-broken', 1, { ok: false }],
    ],
  );
  assert.equal(report.gaps[0]?.from, '2026-11-01T00:03:59.000000Z');
  assert.equal(report.actors.find(({ actor }) => actor === 'system:nightly-import')?.events, 48);
  const page = reportMarkdown(report);
  assert.match(page, /\| change \| public\.patients \| insert \| 40 \|/);
  assert.match(page, /\\<b\\>\\\|\\\*x\\\* name/);
});

test('exports have every event once, oldest first, in each format', async (t) => {
  const { database } = await bench(t);
  const exported = async (format: ExportFormat): Promise<string> => {
    let text = '';
    const ground = { tenant: TENANT, version: '1.2.3', signal: new AbortController().signal };
    const count = await exportEvents(database, ground, { filter: {}, format }, async (piece) => void (text += piece));
    assert.equal(count, EVENTS);
    return text;
  };
  const jsonl = (await exported('jsonl'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    jsonl.map(({ index }) => index),
    indexes(() => true).toReversed(),
  );
  const csv = (await exported('csv')).split('\r\n');
  assert.match(csv[0] ?? '', /^index,id,at,/);
  assert.equal(csv.length, EVENTS + 2);
  assert.match(csv[1] ?? '', /^0,[0-9a-f-]+,2026-11-01T00:00:00.000000Z,/);
  const cef = (await exported('cef')).trimEnd().split('\n');
  assert.match(
    cef[1] ?? '',
    /^CEF:0\|Safekeep\|Safekeep\|1\.2\.3\|change:insert\|change insert\|2\|rt=\d+ externalId=\S+ suser=Dr\. Ann Lee /,
  );
  const ocsf = (await exported('ocsf'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual([ocsf[0].class_uid, ocsf[0].type_uid, ocsf[2].activity_id, ocsf.length], [6005, 600_502, 3, EVENTS]);
});
