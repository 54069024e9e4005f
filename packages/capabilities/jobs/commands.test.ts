import assert from 'node:assert/strict';
import { test } from 'node:test';
import Value from 'typebox/value';
import { isSafekeepError, newId } from '@safekeep/core';
import type { Command, CommandContext, Ink } from '../capability.ts';
import { enqueueBatch } from './actions/enqueue.ts';
import { commandsFor } from './commands.ts';
import { stepped } from './testing/kinds.ts';
import { openWorkshop, TENANT, type Workshop } from './testing/workshop.ts';

const plain: Ink = { good: String, bad: String, warn: String, dim: String, strong: String };
const commands = new Map(commandsFor([stepped]).map((each) => [each.name, each]));

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
  return { result, text: command.render(result as never, plain) };
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
