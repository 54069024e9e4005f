import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { safekeepAtHand } from './at-hand.ts';
import { safekeep, temporaryHome, type RunOptions } from './safekeep.ts';

test('a command at hand ends and says what it does in a process of its own, and keeps nothing of the call before', async (t) => {
  const folder = await temporaryHome(t);
  await writeFile(join(folder, 'safekeep.env'), 'SAFEKEEP_TENANT="not a tenant"\n');
  const home = ['--home', join(folder, 'home')];
  const status = ['migrate', 'status', '--json', ...home];
  const calls: readonly (readonly [args: readonly string[], options?: RunOptions])[] = [
    [['--version']],
    [[]],
    [['hold']],
    [['no-such-command', '--json']],
    [['stop', ...home]],
    [status, { environment: { SAFEKEEP_DATABASE_URL: 'not a url' } }],
    [status, { cwd: folder }],
    [['stop', '--json', ...home]],
  ];
  for (const [args, options] of calls) assert.deepEqual(await safekeepAtHand(args, options), await safekeep(args, options));
});

test('commands at hand that are called at once do not mix what they say', async () => {
  const words = ['hold', 'audit', 'jobs', 'subject'];
  const together = await Promise.all(words.map((word) => safekeepAtHand([word])));
  for (const [at, word] of words.entries()) assert.deepEqual(await safekeepAtHand([word]), together[at], word);
  assert.equal(new Set(together.map(({ stderr }) => stderr)).size, words.length);
});
