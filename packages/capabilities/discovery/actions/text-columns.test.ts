import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { textColumns } from './text-columns.ts';

test('columns are those that the map calls free text; others may be looked at by name and never redacted, and nothing without agreement', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'safekeep-redact-'));
  t.after(() => rm(directory, { recursive: true }));
  const map = join(directory, 'datamap.yaml');
  await writeFile(
    map,
    `version: 1
tables:
  notes: { of: none, note: x, columns: { body: { category: user.content, free_text: true }, title: { category: user.content } } }
`,
  );
  const asked = { column: 'public.notes.body', redact: true, agreed: true, map };
  assert.deepEqual(await textColumns(asked), ['public.notes.body']);
  await assert.rejects(textColumns({ ...asked, agreed: false }), /without agreed/);
  await assert.rejects(textColumns({ redact: true, agreed: false, map }), /without agreed/);
  for (const column of ['public.notes.title', 'public.notes.gone', 'public.others.body'])
    await assert.rejects(textColumns({ ...asked, column }), /does not say free_text/);
  assert.deepEqual(await textColumns({ ...asked, column: 'public.others.body', redact: false }), ['public.others.body']);
  assert.deepEqual(await textColumns({ redact: true, agreed: true, map }), ['public.notes.body']);
});
