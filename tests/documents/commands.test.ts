import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { testDatabase } from '@safekeep/postgres/testing';
import { temporaryHome } from 'safekeep/testing';
import { readGuide } from './read-guide.ts';
import { runGuide } from './run-guide.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const guides = globSync(['README.md', 'docs/guides/*.md', 'examples/*/README.md'], { cwd: ROOT }).toSorted();

// Most of a guide is waiting for its programs to start: more at a time than the machine has cores.
suite('what the documents say to type can be typed', { concurrency: 4 }, () => {
  for (const name of guides)
    test(name, { timeout: 600_000 }, async (t) => {
      const guide = readGuide(await readFile(join(ROOT, name), 'utf8'));
      assert.deepEqual(guide.faults, []);
      const folder = await temporaryHome(t);
      const { url } = await testDatabase(t);
      assert.deepEqual(await runGuide(guide, { folder, databaseUrl: url.reveal(), signal: t.signal }), []);
    });
});

test('every guide is read, and what it says that it cannot run has its reason', async () => {
  assert.ok(guides.length > 12);
  for (const name of guides)
    for (const { line, reason } of readGuide(await readFile(join(ROOT, name), 'utf8')).notRun)
      assert.ok(reason.length > 10, `${name}:${line} is not run for no reason`);
});

test('commands, files, exit codes and stand-ins are read from a guide', () => {
  const guide = readGuide(
    [
      '<!-- stage: a/clinic -->',
      '<!-- first: prepare -->',
      '<!-- here: HASH = /plan (\\w+)/ -->',
      '```console\n$ one \\\n  two\nprinted\n$ three HASH\n```',
      '<!-- exits 1 -->\n```sh\n# a remark\nfour\n\nfive\n```',
      '<!-- save: a.json -->\n```json\n{}\n```',
      '<!-- not run: there is no cloud here -->\n```sh\naws\n```',
      '```\nnpx safekeep scan\n```',
    ].join('\n'),
  );
  assert.deepEqual(
    guide.steps.map((step) => (step.kind === 'command' ? [step.text, step.exits] : Object.values(step))),
    [
      ['prepare', 0],
      ['stands-for', 'HASH', '/plan (\\w+)/'],
      ['one \\\n  two', 0],
      ['three HASH', 0],
      ['four', 0],
      ['five', 1],
      ['file', 'a.json', '{}\n'],
    ],
  );
  assert.deepEqual([guide.stage, guide.notRun.length, guide.faults.length], ['a/clinic', 1, 1]);
});
