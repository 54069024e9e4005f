import assert from 'node:assert/strict';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Secret } from '@safekeep/core';
import { CONTEXT, opening, owner, PLAIN, refused, sealed, workbench } from '../testing/workbench.ts';
import { epochsOf, readKek } from '../files/epochs.ts';
import { rollEpoch } from './roll-epoch.ts';
import { rotateRoot } from './rotate-root.ts';

test('the root is replaced, by a new one of its kind or of another, and everything opens with the new one alone', async (t) => {
  const bench = await workbench(t);
  const { ring, directory } = bench;
  const before = await sealed(bench, 1);
  await bench.ring().epochs.current('other');
  const first = await rotateRoot(ring());
  assert.equal(first.rewrapped, 2);
  const secret = new Secret('a much better passphrase');
  const second = await rotateRoot(ring({ settings: { passphrase: secret } }));
  assert.deepEqual([second.rewrapped, second.before], [2, [first.now]]);
  assert.deepEqual(
    (await readdir(directory)).filter((name) => name.startsWith('root')),
    ['root.json'],
  );
  await assert.rejects(opening(bench, before.id), refused('key-root-wrong'));
  const next = new Secret('an even better passphrase');
  await assert.rejects(rotateRoot(ring({ settings: { passphrase: next } })), refused('key-root-wrong'));
  await rotateRoot(ring({ settings: { passphrase: next, previous: secret } }));
  const key = await opening(bench, before.id, ring({ settings: { passphrase: next } }));
  assert.ok(key !== undefined && key !== 'erased');
  const environment = { kind: 'environment', key: new Secret(Buffer.alloc(32, 7).toString('base64')) } as const;
  await rotateRoot(ring({ settings: { ...environment, passphrase: next } }));
  assert.deepEqual(
    (await readdir(directory)).filter((name) => name.startsWith('root')),
    [],
    'a file of ours goes',
  );
  const last = await opening(bench, before.id, ring({ settings: environment }));
  assert.ok(last !== undefined && last !== 'erased');
  assert.deepEqual(last.open(before.bytes, CONTEXT), PLAIN);
});

test('a root that goes down midway does not stop what is open, and what it must unwrap anew fails without harm', async (t) => {
  const bench = await workbench(t);
  const { ring, home, clock } = bench;
  const { settings, down } = await kms(home);
  const mine = ring({ settings });
  const made = (number: number) => bench.inTenant((client) => mine.subjectKeys.forSealing(client, [owner(number)]));
  await made(1);
  await writeFile(down, '');
  clock.advanceMs(120_000);
  assert.equal((await made(2)).size, 1);
  await assert.rejects(
    bench.inTenant((client) => ring({ settings }).subjectKeys.forSealing(client, [owner(1)])),
    refused('key-root-unreachable'),
  );
  await assert.rejects(rollEpoch(mine, 'default'), refused('key-root-unreachable'));
  await rm(down);
  assert.equal((await rollEpoch(ring({ settings }), 'default')).to, 2);
});

test('a root that is down from the start makes nothing, and nothing is in the way when it is back', async (t) => {
  const bench = await workbench(t);
  const { settings, down } = await kms(bench.home);
  await writeFile(down, '');
  const first = () => bench.inTenant((client) => bench.ring({ settings }).subjectKeys.forSealing(client, [owner(1)]));
  await assert.rejects(first(), refused('key-root-unreachable'));
  const { rows } = await bench.pool.query(
    'select (select count(*) from safekeep.encryption_keys) + (select count(*) from safekeep.encryption_epochs) as made',
  );
  assert.deepEqual(rows, [{ made: '0' }]);
  assert.deepEqual(await epochsOf(bench.directory, 'default'), []);
  await rm(down);
  assert.equal((await first()).size, 1);
});

test('a new root that goes down between two keys loses neither, and the rotation goes on where it stopped', async (t) => {
  const bench = await workbench(t);
  const before = await sealed(bench, 1);
  await bench.ring().epochs.current('other');
  const { settings, down } = await kms(bench.home, { wraps: 2 });
  await assert.rejects(rotateRoot(bench.ring({ settings })), refused('key-root-unreachable'));
  const kinds = async () =>
    await Promise.all(['default', 'other'].map(async (tenant) => (await readKek(bench.directory, tenant, 1))?.root.kind));
  assert.deepEqual(await kinds(), ['command', 'file']);
  await rm(down);
  const key = await opening(bench, before.id, bench.ring({ settings }));
  assert.ok(key !== undefined && key !== 'erased');
  const { rewrapped } = await rotateRoot(bench.ring({ settings }));
  assert.deepEqual([rewrapped, await kinds()], [1, ['command', 'command']]);
  const again = await opening(bench, before.id, bench.ring({ settings }));
  assert.ok(again !== undefined && again !== 'erased');
  assert.deepEqual(again.open(before.bytes, CONTEXT), PLAIN);
});

test('of two rotations of the root at once one is put off, and what the other made opens everything', async (t) => {
  const bench = await workbench(t);
  const before = await sealed(bench, 1);
  const both = await Promise.allSettled([rotateRoot(bench.ring()), rotateRoot(bench.ring()), rollEpoch(bench.ring(), 'default')]);
  assert.deepEqual(both.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected', 'rejected']);
  for (const each of both) if (each.status === 'rejected') assert.ok(refused('key-busy')(each.reason));
  const key = await opening(bench, before.id);
  assert.ok(key !== undefined && key !== 'erased');
  assert.deepEqual(key.open(before.bytes, CONTEXT), PLAIN);
});

/** A program that keeps a root, until the file `down` is there; with `wraps` it goes down by itself after so many. */
async function kms(home: string, { wraps = Infinity }: { readonly wraps?: number } = {}) {
  const down = join(home, 'down');
  const command = join(home, 'kms.mjs');
  await writeFile(
    command,
    `#!${process.execPath}
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
const asked = JSON.parse(readFileSync(0, 'utf8'));
const [down, wrapped] = ${JSON.stringify([down, join(home, 'wrapped')])};
if (existsSync(down)) process.exit(1);
if (asked.operation === 'wrap') {
  appendFileSync(wrapped, '.');
  if (readFileSync(wrapped).length === ${wraps}) writeFileSync(down, '');
}
const turn = (text) => Buffer.from(text, 'base64').map((byte) => byte ^ 0x5a).toString('base64');
const answers = { describe: { id: 'kms' }, wrap: { wrapped: turn(asked.key ?? '') }, unwrap: { key: turn(asked.wrapped ?? '') }, destroy: { unsupported: true } };
process.stdout.write(JSON.stringify(answers[asked.operation]));`,
    { mode: 0o700 },
  );
  return { settings: { kind: 'command', command, timeoutMs: 5_000 } as const, down };
}
