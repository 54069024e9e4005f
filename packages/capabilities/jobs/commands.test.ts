import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Type } from '@safekeep/core/schema';
import Value from 'typebox/value';
import { isSafekeepError, newId } from '@safekeep/core';
import type { Command, CommandContext, Ink } from '../capability.ts';
import { enqueueBatch } from './actions/enqueue.ts';
import { listJobs, showJob } from './actions/list-jobs.ts';
import { commandsFor } from './commands.ts';
import { job, type JobId } from './model.ts';
import { stepped } from './testing/kinds.ts';
import { openWorkshop, TENANT, until, type Workshop } from './testing/workshop.ts';

const plain: Ink = { good: String, bad: String, warn: String, dim: String, strong: String };
/** Gives back what it is given. */
const echo = job({
  kind: 'echo',
  payload: Type.Object(
    { column: Type.String({ minLength: 1 }), redact: Type.Optional(Type.Boolean()) },
    { additionalProperties: false },
  ),
  version: 1,
  retry: { limit: 0, backoff: { firstMs: 0, maxMs: 0 } },
  timeoutMs: 10_000,
  concurrency: { perWorker: 1 },
  run: async (_context, payload) => payload,
});
const commands = new Map(commandsFor([stepped, echo]).map((each) => [each.name, each]));

/** Runs a command as the CLI does: input by its schema, result checked against the schema of its output, and rendered. */
async function run(shop: Workshop, name: string, input: object): Promise<{ readonly result: unknown; readonly text: string }> {
  const command: Command | undefined = commands.get(name);
  assert.ok(command, name);
  const given = Value.Default(command.input, structuredClone(input));
  assert.ok(Value.Check(command.input, given), `${name} takes this input`);
  // What these commands use of a context.
  const context = { tenant: TENANT, database: async () => shop.database } as unknown as CommandContext;
  const { result } = await command.run(context, given as never);
  assert.ok(
    Value.Check(command.output, result),
    `${name} gives what it says: ${JSON.stringify([...Value.Errors(command.output, result)])}`,
  );
  return { result, text: command.render(result as never, plain, {} as never) };
}

test('jobs are listed, shown, cancelled and retried, with the fields that scripts rely on', async (t) => {
  const shop = await openWorkshop(t);
  assert.match((await run(shop, 'jobs list', {})).text, /no such jobs/);
  const [first] = await enqueueBatch(
    shop.database,
    stepped,
    Array.from({ length: 3 }, () => ({ payload: {} })),
    { tenant: TENANT },
  );
  assert.ok(first);
  await shop.pool.query(
    `update safekeep.jobs set state = 'running', attempt = 2, started_at = now(), progress_done = 30, progress_total = 90, progress_rate = 10,
       checkpoint = '{"page":3}', error_code = 'disk-full', error_message = 'It was full.' where job_id = $1`,
    [first.id],
  );
  const shown = await run(shop, 'jobs show', { id: first.id });
  assert.deepEqual(
    { ...(shown.result as object), createdAt: '', startedAt: '' },
    {
      id: first.id,
      kind: 'stepped',
      tenant: TENANT,
      state: 'running',
      attempt: 2,
      progress: { done: 30, total: 90, rowsPerSecond: 10, etaSeconds: 6 },
      createdAt: '',
      startedAt: '',
      finishedAt: null,
      error: { code: 'disk-full', message: 'It was full.' },
      checkpoint: { page: 3 },
    },
  );
  assert.match(shown.text, /30 of 90, 10\/s, 6 s left/);
  const page = await run(shop, 'jobs list', { state: 'queued', limit: 1 });
  assert.match(page.text, /more with --cursor/);
  assert.match((await run(shop, 'jobs cancel', { id: first.id })).text, /is cancelled/);
  assert.match((await run(shop, 'jobs retry', { id: first.id })).text, /is queued/);
  await assert.rejects(run(shop, 'jobs show', { id: newId<'job'>() }), (error) => isSafekeepError(error, 'job-unknown'));
  await assert.rejects(run(shop, 'jobs show', { id: 'seven' }), (error) => isSafekeepError(error, 'usage'));
  await assert.rejects(
    run(shop, 'jobs list', { cursor: 'seven' }),
    (error) => isSafekeepError(error, 'usage') && error.message.includes('--cursor'),
  );
});

test('a kind is scheduled, listed and taken off again; an unknown one is refused with those there are', async (t) => {
  const shop = await openWorkshop(t);
  const set = await run(shop, 'jobs schedule set', { kind: 'stepped', cron: '30 3 * * *', timeZone: 'Europe/Berlin' });
  assert.match(set.text, /stepped {2}30 3 \* \* \* {2}Europe\/Berlin {2}next /);
  assert.deepEqual((await run(shop, 'jobs schedule', {})).result, set.result);
  assert.match((await run(shop, 'jobs schedule remove', { kind: 'stepped' })).text, /Nothing is scheduled/);
  await assert.rejects(
    run(shop, 'jobs schedule set', { kind: 'steped', cron: '30 3 * * *' }),
    (error) => isSafekeepError(error, 'job-kind-unknown') && error.remedy.includes('stepped'),
  );
});

test('what a schedule is given reaches each of its jobs, and setting it again replaces it', async (t) => {
  const shop = await openWorkshop(t);
  const set = (payload: object) =>
    run(shop, 'jobs schedule set', { kind: 'echo', cron: '* * * * *', payload: JSON.stringify(payload) });
  await set({ column: 'public.first.body' });
  const payload = { column: 'public.notes."it\'s {odd}"', redact: true };
  assert.match((await set(payload)).text, /^echo {2}\* \* \* \* \*/);
  await shop.worker([echo]);
  const job = await until(async () => (await listJobs(shop.database, { tenant: TENANT, state: 'done', limit: 1 })).jobs[0]);
  assert.deepEqual((await showJob(shop.database, TENANT, job.id as JobId)).result, payload);
});

test('a payload that is no JSON object, or not what the kind takes, is refused without its values, and nothing is scheduled', async (t) => {
  const shop = await openWorkshop(t);
  const set = (kind: string, payload?: string) =>
    run(shop, 'jobs schedule set', { kind, cron: '0 4 * * *', ...(payload === undefined ? {} : { payload }) });
  for (const payload of [
    undefined,
    '',
    '{',
    'null',
    '[]',
    '7',
    '{}',
    '{"column":""}',
    '{"column":"quillfeather","reda":"quillfeather"}',
  ])
    await assert.rejects(set('echo', payload), (error) => {
      assert.ok(isSafekeepError(error, 'job-payload-invalid'), String(error));
      assert.doesNotMatch(error.message, /quillfeather/);
      return true;
    });
  assert.match((await run(shop, 'jobs schedule', {})).text, /Nothing is scheduled/);
  assert.match((await set('stepped', '{}')).text, /stepped/);
});
