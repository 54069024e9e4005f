import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { systemClock } from '@safekeep/core';
import { testDatabase } from '@safekeep/postgres/testing';
import { enqueue, showJob, startWorker, type JobView } from '../jobs/index.ts';
import { logIn } from './testing/planned.ts';
import { classifyFreeText } from './jobs.ts';

test('the job looks at every column that the map calls free text, tells what it could not, and gives back no text', async (t) => {
  const { database, pool } = await testDatabase(t, { migrated: true });
  const directory = await mkdtemp(join(tmpdir(), 'safekeep-classify-'));
  t.after(() => rm(directory, { recursive: true }));
  const map = join(directory, 'datamap.yaml');
  await writeFile(
    map,
    `version: 1
tables:
  notes: { of: none, note: x, columns: { body: { category: user.content, free_text: true }, title: { category: user.content } } }
  Loose Ends: { of: none, note: x, columns: { End: { category: user.content, free_text: true } } }
`.replace('Loose Ends', '\'"Loose Ends"\''),
  );
  await pool.query(`
    create table notes (id int primary key, title text, body text); create table "Loose Ends" ("End" text);
    insert into notes select n, 'quill@example.org', case when n % 2 = 0 then 'feather@example.org' end from generate_series(1, 300) n`);
  const { id } = await enqueue(database, classifyFreeText, { map }, { tenant: 'default' });
  const ended = async (): Promise<JobView> => {
    for (;;) {
      const view = await showJob(database, 'default', id);
      if (view.finishedAt !== null) return view;
      await wait(20);
    }
  };
  const worker = await startWorker({
    database,
    kinds: [classifyFreeText],
    clock: systemClock,
    log: logIn(t, join(directory, 'log')),
  });
  const { result, state } = await ended();
  await worker.drain();
  assert.equal(state, 'done');
  assert.deepEqual(result, {
    rows: 300,
    flagged: 150,
    redacted: 0,
    unfollowed: 1,
    columns: [
      {
        column: 'public.notes.body',
        rows: 300,
        flagged: 150,
        redacted: 0,
        followed: false,
        done: true,
        kinds: { EMAIL_ADDRESS: 150 },
      },
    ],
    problems: [
      {
        column: 'public."Loose Ends"."End"',
        code: 'text-column-unfit',
        message:
          'The texts of public."Loose Ends"."End" cannot be looked at: its table has no primary key to go on by. Nothing was changed.',
      },
    ],
  });
  assert.doesNotMatch(JSON.stringify(result), /quill|feather/);
});
