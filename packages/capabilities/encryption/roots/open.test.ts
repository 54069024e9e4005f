import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { generateIdentity } from 'age-encryption';
import { isSafekeepError, Secret, type ErrorCode } from '@safekeep/core';
import { openRoots, type Roots, type RootSettings } from './open.ts';

const NONE: RootSettings = {
  kind: 'file',
  passphrase: undefined,
  ageIdentity: undefined,
  key: undefined,
  command: undefined,
  timeoutMs: 5_000,
  previous: undefined,
};
const KEY = randomBytes(32);

async function folder(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'safekeep-roots-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const made: string[] = [];
  const open = (settings: Partial<RootSettings>): Roots =>
    openRoots({
      settings: { ...NONE, ...settings },
      directory,
      now: () => new Date('2026-11-21T10:00:00Z'),
      onSecretMade: (path) => void made.push(path),
    });
  return { directory, open, made };
}

function refused(code: ErrorCode) {
  return (error: unknown): boolean => isSafekeepError(error, code);
}

/** A root behind a program that keeps a key and obeys a file of instructions. */
async function program(directory: string, body: string): Promise<string> {
  const path = join(directory, `root-${randomBytes(3).toString('hex')}.mjs`);
  await writeFile(
    path,
    `#!${process.execPath}
import { readFileSync } from 'node:fs';
const asked = JSON.parse(readFileSync(0, 'utf8'));
const flip = (text) => Buffer.from(text, 'base64').map((byte) => byte ^ 0x5a).toString('base64');
const say = (answer) => process.stdout.write(JSON.stringify(answer));
${body}`,
  );
  await chmod(path, 0o700);
  return path;
}

const GOOD = `
if (process.argv.length > 2 || Object.keys(process.env).some((name) => name.startsWith('SAFEKEEP'))) process.exit(9);
if (asked.operation === 'describe') say({ id: 'kms-1', detail: 'a key in a safe' });
if (asked.operation === 'wrap') say({ wrapped: flip(asked.key) });
if (asked.operation === 'unwrap') say({ key: flip(asked.wrapped) });
if (asked.operation === 'destroy') say({ at: '2027-01-01T00:00:00.000Z' });
`;

test('each kind of root gives back what it wrapped, and the one that wrapped it is found again', async (t) => {
  const { open, directory } = await folder(t);
  const kinds: Partial<RootSettings>[] = [
    { kind: 'file' },
    { kind: 'age', ageIdentity: new Secret(`# created\n${await generateIdentity()}\n`) },
    { kind: 'environment', key: new Secret(randomBytes(32).toString('base64')) },
    { kind: 'command', command: await program(directory, GOOD) },
  ];
  for (const settings of kinds) {
    const root = await open(settings).current({ make: true });
    const wrapped = await root.wrap(KEY);
    assert.ok(!wrapped.includes(KEY.subarray(0, 8)), root.kind);
    const found = await open(settings).find(root);
    assert.deepEqual(await found.unwrap(wrapped), KEY, root.kind);
    assert.ok((await root.describe()).length > 10);
    await assert.rejects(open(settings).find({ kind: root.kind, id: 'another' }), refused('key-root-wrong'));
  }
});

test('without a passphrase a secret is made for the home, told once, and readable by nobody else', async (t) => {
  const { open, made, directory } = await folder(t);
  const [a, b] = await Promise.all([open({}).current({ make: true }), open({}).current({ make: true })]);
  assert.equal(a.id, b.id);
  assert.equal(made.length, 1);
  assert.deepEqual((await readdir(directory)).filter((name) => name.endsWith('.secret')).length, 1);
  await chmod(made[0] ?? '', 0o644);
  await assert.rejects(open({}).current(), refused('key-file-unsafe'));
  await rm(made[0] ?? '');
  await assert.rejects(open({}).current({ make: true }), refused('key-root-missing'));
});

test('a root file opens with its passphrase, in any form of Unicode, and with no other', async (t) => {
  const { open, directory } = await folder(t);
  const root = await open({ passphrase: new Secret('Grüße an alle Ämter') }).current({ make: true });
  const wrapped = await root.wrap(KEY);
  const again = await open({ passphrase: new Secret('Grüße an alle Ämter'.normalize('NFD')) }).current();
  assert.deepEqual(await again.unwrap(wrapped), KEY);
  await assert.rejects(open({ passphrase: new Secret('another passphrase') }).current(), refused('key-root-wrong'));
  const path = join(directory, 'root.json');
  assert.ok(!(await readFile(path, 'utf8')).includes('Grüße'));
  const whole = await readFile(path, 'utf8');
  for (const text of [whole.slice(0, 100), '{}', '']) {
    await writeFile(path, text);
    await assert.rejects(
      open({ passphrase: new Secret('Grüße an alle Ämter') }).current({ make: true }),
      refused('key-file-broken'),
    );
  }
});

test('what cannot be a root is refused without telling the secret', async (t) => {
  const { open } = await folder(t);
  const secret = new Secret('canary-not-a-key');
  for (const settings of [
    { kind: 'age' },
    { kind: 'environment' },
    { kind: 'command' },
    { kind: 'command', command: 'kms' },
    { kind: 'age', ageIdentity: secret },
    { kind: 'environment', key: secret },
  ] as const)
    await assert.rejects(
      open(settings).current({ make: true }),
      (error: unknown) => isSafekeepError(error, 'key-root-unfit') && !error.message.includes('canary'),
    );
});

test('a program that is missing, slow, fails, talks nonsense or too much is told, and nothing of what it said', async (t) => {
  const { open, directory } = await folder(t);
  const bodies: [string, RegExp][] = [
    ['process.exit(3);', /ended with 3/],
    ['say("canary");', /form/],
    ['process.stdout.write("canary");', /no JSON/],
    ['process.stdout.write("canary".repeat(100_000));', /too long/],
    ['setInterval(() => {}, 1000);', /no answer within 1000 ms/],
  ];
  for (const [body, reason] of bodies) {
    const command = await program(directory, body);
    await assert.rejects(
      open({ kind: 'command', command, timeoutMs: 1_000 }).current(),
      (error: unknown) =>
        isSafekeepError(error, 'key-root-unreachable') && reason.test(error.message) && !error.message.includes('canary'),
    );
  }
  await assert.rejects(open({ kind: 'command', command: join(directory, 'none') }).current(), refused('key-root-unreachable'));
});
