import assert from 'node:assert/strict';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Secret } from '@safekeep/core';
import { CONTEXT, opening, owner, PLAIN, refused, sealed, workbench } from '../testing/workbench.ts';
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
  const down = join(home, 'down');
  const command = join(home, 'kms.mjs');
  await writeFile(
    command,
    `#!${process.execPath}
import { existsSync, readFileSync } from 'node:fs';
const asked = JSON.parse(readFileSync(0, 'utf8'));
if (existsSync(${JSON.stringify(down)})) process.exit(1);
const turn = (text) => Buffer.from(text, 'base64').map((byte) => byte ^ 0x5a).toString('base64');
const answers = { describe: { id: 'kms' }, wrap: { wrapped: turn(asked.key ?? '') }, unwrap: { key: turn(asked.wrapped ?? '') }, destroy: { unsupported: true } };
process.stdout.write(JSON.stringify(answers[asked.operation]));`,
    { mode: 0o700 },
  );
  const settings = { kind: 'command', command, timeoutMs: 5_000 } as const;
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
