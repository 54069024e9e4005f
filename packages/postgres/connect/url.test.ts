import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isSafekeepError, Secret } from '@safekeep/core';
import { connectFailure } from './failures.ts';
import { parseDatabaseUrl } from './url.ts';

function refusedFor(reason: RegExp, url: string): void {
  assert.throws(
    () => parseDatabaseUrl(new Secret(url)),
    (error) => isSafekeepError(error, 'database-url-invalid') && reason.test(error.message) && !error.message.includes('hunter2'),
  );
}

test('a parameter that stands twice, a NUL and a wait that is no number are refused', () => {
  refusedFor(/sslmode stands in it more than once/, 'postgres://u:hunter2@h/d?sslmode=verify-full&sslmode=disable');
  refusedFor(/database holds a NUL/, 'postgres://u:hunter2@h/d%00x');
  refusedFor(/user holds a NUL/, 'postgres://u%00x:hunter2@h/d');
  refusedFor(/password holds a NUL/, 'postgres://u:hunter2%00@h/d');
  refusedFor(/host holds a NUL/, 'postgres://u:hunter2@h/d?host=h%00x');
  for (const seconds of ['soon', '0', '-1', '1.5', '3601', '']) {
    refusedFor(/connect_timeout must be/, `postgres://u:hunter2@h/d?connect_timeout=${seconds}`);
  }
  assert.equal(parseDatabaseUrl(new Secret('postgres://u@h/d?connect_timeout=7')).connectTimeoutMs, 7_000);
});

test('a channel binding that could not be kept to is not promised', () => {
  refusedFor(/cannot be enforced/, 'postgres://u:hunter2@h/d?channel_binding=require');
  refusedFor(/must be prefer or disable/, 'postgres://u:hunter2@h/d?channel_binding=yes');
  assert.equal(parseDatabaseUrl(new Secret('postgres://u@h/d?channel_binding=prefer')).channelBinding, true);
  assert.equal(parseDatabaseUrl(new Secret('postgres://u@h/d?channel_binding=disable')).channelBinding, false);
});

test('a file for TLS that is not what it should be is refused by the name of its parameter', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-url-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'not.pem');
  await writeFile(file, 'not PEM');
  for (const parameter of ['sslcert', 'sslkey', 'sslrootcert']) {
    refusedFor(new RegExp(`file of ${parameter} holds no`), `postgres://u:hunter2@h/d?${parameter}=${file}`);
    refusedFor(new RegExp(`file of ${parameter} cannot be read`), `postgres://u:hunter2@h/d?${parameter}=${folder}/none`);
  }
});

test('an IPv6 address stands in brackets before its port', () => {
  const target = parseDatabaseUrl(new Secret('postgres://u@[2001:db8::7]:6000/d'));
  assert.equal(target.host, '2001:db8::7');
  const refused = connectFailure(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }), target);
  assert.ok(isSafekeepError(refused, 'database-unreachable'));
  assert.match(refused.message, /\[2001:db8::7\]:6000/);
});
