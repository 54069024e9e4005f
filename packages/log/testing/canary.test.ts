import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { assertNoCanaries, CANARIES, findCanaries } from './index.ts';

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-canary-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

const [name, , email] = CANARIES;

test('every planted canary is found, with file and line, in each way it may be written', async (t) => {
  const folder = await folderFor(t);
  for (const { kind, value } of CANARIES) {
    const forms = [
      value,
      JSON.stringify({ value }),
      `?q=${encodeURIComponent(value)}`,
      `\\x${Buffer.from(value).toString('hex')}`,
      Buffer.from(value).toString('base64'),
    ];
    for (const form of forms) {
      await writeFile(join(folder, 'server.log'), `first line\nsecond line ${form} and on\nthird\n`);
      const findings = await findCanaries([folder], [{ kind, value }]);
      assert.deepEqual(findings, [{ file: join(folder, 'server.log'), line: 2, canary: kind }], `${kind} as ${form}`);
    }
  }
});

test('a canary is found wherever it stands in a large file, also across the pieces it is read in', async (t) => {
  const folder = await folderFor(t);
  const piece = 256 * 1024;
  for (const at of [0, 5, piece - 10, piece - 1, piece, 2 * piece - 3, 3 * piece + 7]) {
    const filler = 'a log line of some length\n'.repeat(Math.ceil(at / 26)).slice(0, at);
    await writeFile(join(folder, 'large.log'), `${filler}${email.value}\nend`);
    const lines = filler.split('\n').length;
    assert.deepEqual(
      await findCanaries([folder], [email]),
      [{ file: join(folder, 'large.log'), line: lines, canary: 'email' }],
      String(at),
    );
  }
});

test('folders below are searched too, and a clean one is clean', async (t) => {
  const folder = await folderFor(t);
  await mkdir(join(folder, 'a', 'b'), { recursive: true });
  await writeFile(join(folder, 'clean.log'), 'nothing here\n');
  assert.deepEqual(await assertNoCanaries([folder]), { files: 1 });
  await writeFile(join(folder, 'a', 'b', 'deep.log'), `x\n${name.value}`);
  await assert.rejects(assertNoCanaries([folder]), ({ message }: Error) => {
    assert.match(message, /deep\.log:2 holds the planted name/);
    assert.ok(!message.includes(name.value), 'the report is a leak itself');
    return true;
  });
});

test('a folder that is not there is an error, never clean', async (t) => {
  const folder = await folderFor(t);
  await assert.rejects(assertNoCanaries([join(folder, 'missing')]), { code: 'ENOENT' });
});

test('a flood of findings is cut short', async (t) => {
  const folder = await folderFor(t);
  await writeFile(join(folder, 'flood.log'), `${name.value}\n`.repeat(10_000));
  assert.equal((await findCanaries([folder])).length, 100);
});
