import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { refuseUnasked } from './refuse-unasked.ts';

test('a column is redacted only where the map says free text and a person agreed', async (t) => {
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
  await refuseUnasked({ column: 'public.notes.body', agreed: true, map });
  await assert.rejects(refuseUnasked({ column: 'public.notes.body', agreed: false, map }), /without agreed/);
  for (const column of ['public.notes.title', 'public.notes.gone', 'public.others.body'])
    await assert.rejects(refuseUnasked({ column, agreed: true, map }), /does not say free_text/);
});
