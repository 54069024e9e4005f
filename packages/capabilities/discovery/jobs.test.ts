import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { enqueue } from '../jobs/index.ts';
import { openWorkshop, TENANT } from '../jobs/testing/workshop.ts';
import { classifyFreeText } from './jobs.ts';

test('the job looks at every column that the map calls free text, tells what it could not, and gives back no text', async (t) => {
  const shop = await openWorkshop(t);
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
  await shop.pool.query(`
    create table notes (id int primary key, title text, body text); create table "Loose Ends" ("End" text);
    insert into notes select n, 'quill@example.org', case when n % 2 = 0 then 'feather@example.org' end from generate_series(1, 300) n`);
  await shop.worker([classifyFreeText]);
  const { id } = await enqueue(shop.database, classifyFreeText, { map }, { tenant: TENANT });
  const { result } = await shop.becomes(id, 'done');
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
