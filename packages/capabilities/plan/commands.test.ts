import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import Value from 'typebox/value';
import { isSafekeepError, readConfiguration, SafekeepError, systemClock } from '@safekeep/core';
import type { CommandContext, Ink } from '../capability.ts';
import { columnComments } from './contributors/column-comments.ts';
import { planCapability } from './index.ts';
import { workbench, type Workbench } from './testing/workbench.ts';

const MAP = `
version: 1
tenant: fixed
tables:
  public.patients: { columns: { id: { category: user.unique_id } } }
`;
const capability = planCapability({ contributors: [columnComments], guards: [] });
const plain: Ink = { good: String, bad: String, warn: String, dim: String, strong: String };

/** What a command is given, on this database and with this map, by a person who agrees unless told otherwise. */
async function contextOn(
  t: TestContext,
  { database, url }: Workbench,
  confirm: CommandContext['confirm'] = async () => undefined,
): Promise<CommandContext> {
  const home = await mkdtemp(join(tmpdir(), 'safekeep-plan-'));
  t.after(() => rm(home, { recursive: true, force: true }));
  const mapFile = join(home, 'datamap.yaml');
  await writeFile(mapFile, MAP);
  const unused = (): never => {
    throw new Error('The command asked for something that it does not need');
  };
  return {
    home,
    mapFile,
    tenant: 'default',
    clock: systemClock,
    json: true,
    confirm,
    configuration: readConfiguration({ flags: { home }, environment: {}, file: {}, readFile: unused }),
    signal: new AbortController().signal,
    database: async () => database,
    databaseUrl: async () => url,
    progress: () => ({ update: () => undefined, end: () => undefined }),
    elsewhere: () => assert.fail('no other home'),
    signer: unused,
    verifierKey: unused,
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
}

/** Runs a command by its name; its result must be of the shape that it promises, and say something to a person. */
async function call(name: string, context: CommandContext, input: object = {}) {
  const found = capability.commands.find((each) => each.name === name);
  assert.ok(found, name);
  const { result, ok = true } = await found.run(context, { ...Value.Create(found.input), ...input } as never);
  assert.deepEqual([...Value.Errors(found.output, result)], [], name);
  const text = found.render(result as never, plain, {} as never);
  assert.ok(text.length > 10, name);
  return {
    result: result as { readonly [key: string]: unknown; readonly hash: string; readonly steps: readonly unknown[] },
    ok,
    text,
  };
}

test('plan, apply, status and unapply answer in the shape that others rely on', async (t) => {
  const bench = await workbench(t, { setUp: 'create table patients (id integer primary key)' });
  const context = await contextOn(t, bench);
  const plan = await call('plan', context);
  assert.deepEqual(plan.result.steps, [
    {
      id: 'create column-comment:public.patients.id',
      action: 'create',
      kind: 'column-comment',
      target: 'public.patients.id',
      reversible: true,
      rows: 0,
      rewrites: false,
      locks: [{ table: 'public.patients', mode: 'SHARE UPDATE EXCLUSIVE' }],
      runsIn: 'transaction',
      sql: [`comment on column "public"."patients"."id" is '[safekeep category=user.unique_id protect=none]'`],
    },
  ]);
  assert.ok(plan.text.includes(`safekeep apply --plan ${plan.result.hash}`));
  assert.equal((await call('apply', context, { plan: plan.result.hash })).result.steps.length, 1);
  assert.match((await call('apply', context)).text, /Nothing to do/);
  assert.deepEqual((await call('status', context)).result, {
    ok: true,
    drift: [],
    pending: [],
    problems: [],
    notes: [],
    applied: 1,
  });

  await bench.pool.query('alter table patients add column phone text');
  const status = await call('status', context);
  assert.deepEqual([status.ok, status.result['ok']], [false, false]);
  assert.match(status.text, /added column public\.patients\.phone/);
  const out = await call('unapply', context);
  assert.deepEqual([out.result['restored'], out.result['changedSince']], [false, ['added: column public.patients.phone']]);
});

test('a plan that apply would refuse offers no apply, whether or not it has steps', async (t) => {
  const bench = await workbench(t, { setUp: 'create table patients (id integer primary key)' });
  const context = await contextOn(t, bench);
  await writeFile(context.mapFile, `${MAP}  public.gone: { columns: { id: { category: user.unique_id } } }\n`);
  const withSteps = await call('plan', context);
  assert.deepEqual([withSteps.ok, withSteps.result.steps.length > 0], [false, true]);
  await writeFile(context.mapFile, MAP.replaceAll('patients', 'gone'));
  const without = await call('plan', context);
  assert.deepEqual([without.ok, without.result.steps], [false, []]);
  for (const { text } of [withSteps, without]) {
    assert.match(text, /problem public\.gone/);
    assert.doesNotMatch(text, /Nothing to do|apply --plan/);
    assert.match(text, /Nothing can be applied before .* mended/);
  }
});

test('apply and unapply ask before they change anything, and plan and status never ask', async (t) => {
  const bench = await workbench(t, { setUp: 'create table patients (id integer primary key)' });
  const asked: string[] = [];
  const refusing = await contextOn(t, bench, async (action) => {
    asked.push(action);
    throw new SafekeepError('declined', { action });
  });
  await call('plan', refusing);
  await call('status', refusing);
  await assert.rejects(call('apply', refusing), (error) => isSafekeepError(error, 'declined'));
  await call('apply', await contextOn(t, bench));
  await assert.rejects(call('unapply', refusing), (error) => isSafekeepError(error, 'declined'));
  assert.deepEqual(asked, [
    'Applying 1 step(s) (1 create column-comment; locks SHARE UPDATE EXCLUSIVE; `safekeep plan` shows each)',
    'Giving encrypted columns their plaintext back and taking out 1 protections',
  ]);
  assert.equal((await call('status', refusing)).result['applied'], 1);
});

test('a rehearsal beside our own open sessions is not evaluable, ends with no, and takes no hash', async (t) => {
  const bench = await workbench(t, { setUp: 'create table patients (id integer primary key)' });
  const { result, ok } = await call('apply', await contextOn(t, bench), { onCopy: true });
  assert.deepEqual([result['state'], ok], ['not-evaluable', false]);
  await assert.rejects(call('apply', await contextOn(t, bench), { onCopy: true, plan: 'x' }), (error) =>
    isSafekeepError(error, 'usage'),
  );
});
