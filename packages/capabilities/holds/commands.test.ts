import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import type { Command, CommandContext } from '../capability.ts';
import { holds as capability } from './index.ts';
import { workbench } from './testing/workbench.ts';

const plain = (text: string): string => text;
const INK = { good: plain, bad: plain, warn: plain, dim: plain, strong: plain };
const MAP = `version: 1
tenant: fixed
subjects:
  patient: { table: public.patients, key: id }
`;
const WHY = { reason: 'claim 7 C 12/26', owner: 'legal', reviewBy: '2027-06-30', by: 'ann' };

async function bench(t: TestContext) {
  const { database, clock } = await workbench(t);
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-holds-'));
  t.after(() => rm(folder, { recursive: true }));
  const mapFile = join(folder, 'datamap.yaml');
  await writeFile(mapFile, MAP);
  const run = async (name: string, input: object, file = mapFile) => {
    const command: Command = capability.commands.find((each) => each.name === name) ?? assert.fail(name);
    // What the commands of holds use of their context.
    const context = { tenant: 'default', clock, mapFile: file, database: async () => database } as unknown as CommandContext;
    const { result } = await command.run(context, input as never);
    return { result: JSON.parse(JSON.stringify(result)), text: command.render(result as never, INK, {} as never) };
  };
  return { run, clock, folder };
}

test('a hold is placed, listed, reviewed, released and told of from the command line', async (t) => {
  const { run, clock } = await bench(t);
  const { result: placed, text } = await run('hold place', {
    target: 'patient:42',
    ...WHY,
    from: '2024-01-01',
    until: '2024-12-31',
  });
  assert.deepEqual(
    [placed.target, placed.kind, placed.table, placed.state, placed.rows, placed.concernsUntil],
    ['patient:42', 'subject', 'public.patients', 'standing', 1, '2025-01-01T00:00:00.000Z'],
  );
  assert.match(text, /^Held: .* standing {2}patient:42 {2}legal, review by 2027-06-30/);
  const { result: query } = await run('hold place', { target: 'invoices', query: "state='open'", ...WHY });
  assert.deepEqual([query.query, query.rows], ["state = 'open'", 10]);
  const listed = await run('hold list', { limit: 1 });
  assert.deepEqual([listed.result.holds.length, listed.result.next], [1, query.id]);
  assert.match(listed.text, /public.invoices where state = 'open'/);
  assert.equal((await run('hold list', { limit: 9, cursor: listed.result.next })).result.holds[0].id, placed.id);
  clock.set('2027-07-01T00:00:00Z');
  assert.equal((await run('hold list', { limit: 9, overdue: true })).result.holds.length, 2);
  assert.equal(
    (await run('hold review', { hold: placed.id, reason: 'appeal', reviewBy: '2028-01-01', by: 'ben' })).result.overdue,
    false,
  );
  assert.equal((await run('hold release', { hold: placed.id, reason: 'settled', by: 'cem' })).result.state, 'released');
  const { result: history, text: told } = await run('hold history', { hold: placed.id });
  assert.deepEqual(
    history.events.map(({ event }: { event: string }) => event),
    ['placed', 'reviewed', 'released'],
  );
  assert.match(told, /reviewed by ben: appeal/);
  assert.equal((await run('hold list', { limit: 9, subject: 'patient:42' })).text, 'There are no such holds.');
});

test('without a map rows can be held, and people cannot', async (t) => {
  const { run, folder } = await bench(t);
  const none = join(folder, 'none.yaml');
  assert.equal((await run('hold place', { target: 'patients:42', ...WHY }, none)).result.kind, 'row');
  await assert.rejects(run('hold place', { target: 'patient:42', ...WHY }, none), (error) =>
    isSafekeepError(error, 'hold-target-invalid'),
  );
});

test('an id that is none, and days that are none, are refused', async (t) => {
  const { run } = await bench(t);
  await assert.rejects(run('hold history', { hold: 'x' }), (error) => isSafekeepError(error, 'usage'));
  await assert.rejects(run('hold place', { target: 'patient:42', ...WHY, from: '2024-02-30' }), (error) =>
    isSafekeepError(error, 'hold-dates-unfit'),
  );
});
