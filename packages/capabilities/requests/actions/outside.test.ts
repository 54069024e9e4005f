import assert from 'node:assert/strict';
import { once } from 'node:events';
import { lstat, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { OutsidePlace } from '@safekeep/core';
import { verify } from '@safekeep/crypto';
import { workbench } from '../testing/workbench.ts';
import { byHandReason } from './outside.ts';

const place = (kind: OutsidePlace['kind'], at: string): OutsidePlace => ({
  name: 'crm',
  kind,
  subject: 'person',
  at,
  export: false,
  erase: true,
  note: null,
});
const reason = (kind: OutsidePlace['kind'], at: string, ...key: readonly string[]): string | null =>
  byHandReason(place(kind, at), { type: 'person', key });

test('a key that is an option of a program, or leads out of a path, is handed to nobody', () => {
  const at = '/usr/bin/crm --erase {key}';
  for (const key of ['42', 'ada@example.org', 'x-ray', 'a..b', '0b3c-1']) assert.equal(reason('command', at, key), null, key);
  for (const key of [
    '--help',
    '-rf',
    '..',
    '.',
    '../43',
    'a/b',
    'a\\b',
    'a\0b',
    'A 17',
    'eve;touch pwned',
    '$(id)',
    '`id`',
    'a|b',
    'a\nb',
    "a'b",
  ])
    assert.match(reason('command', at, key) ?? '', /could lead elsewhere/, key);
  assert.match(reason('command', '/usr/bin/crm {key}', '1', '-f') ?? '', /could lead elsewhere/);
  assert.match(reason('command', '/usr/bin/{key}', '42') ?? '', /no program/);
});

test('nobody but the map chooses which host is told, and it is told over TLS', () => {
  for (const at of ['https://crm.example/people/{key}', 'https://crm.example/erase?id={key}', 'http://127.0.0.1:8080/{key}'])
    assert.equal(reason('webhook', at, '42'), null, at);
  for (const at of [
    'https://{key}/x',
    'https://{key}.crm.example/x',
    'https://a:{key}@crm.example/',
    'ftp://crm.example/{key}',
    '{key}',
  ])
    assert.match(reason('webhook', at, '42') ?? '', /before the path/, at);
  assert.match(reason('webhook', 'http://crm.example/{key}', '42') ?? '', /not https/);
  assert.match(reason('webhook', 'http://localhost.example/{key}', '42') ?? '', /not https/);
  assert.match(reason('webhook', 'https://a:b@crm.example/{key}', '42') ?? '', /password/);
  for (const key of ['.', '..']) assert.match(reason('webhook', 'https://crm.example/people/{key}/erase', key) ?? '', /elsewhere/);
});

test('whoever is told can check that the home says so', async (t) => {
  const told: { readonly signature: string; readonly body: string }[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      told.push({ signature: String(request.headers['safekeep-signature']), body });
      response.end();
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(async () => void (await once(server.close(), 'close')));
  const { port } = server.address() as AddressInfo; // It listens on a port.
  const columns = { id: { category: 'user.unique_id' }, name: { category: 'user.name' } };
  const bench = await workbench(t, {
    schema: "create table people (id bigint primary key, name text); insert into people values (1, 'Ada')",
    map: {
      version: 1,
      tenant: 'fixed',
      subjects: { person: { table: 'public.people', key: 'id', find_by: ['name'], label: 'name' } },
      tables: { 'public.people': { columns } },
      outside: { crm: { kind: 'webhook', of: 'person', at: `http://127.0.0.1:${port}/{key}`, export: false, erase: true } },
    },
  });
  assert.equal((await bench.erase('person:1')).state, 'done');
  const [{ signature: header, body } = { signature: '', body: '{}' }] = told;
  const [, keyName = '', keyId = '', signature = ''] = /^(.+)\+([0-9a-f]{8}) (.+)$/.exec(header) ?? [];
  const notice = JSON.parse(body);
  assert.deepEqual(notice.subject, { type: 'person', key: ['1'] });
  const { verifierKey } = bench.ground.signer;
  verify('erasure-notice', notice, { keyName, keyId, algorithm: 'Ed25519', signature }, verifierKey);
  assert.throws(
    () =>
      verify(
        'erasure-notice',
        { ...notice, subject: { type: 'person', key: ['2'] } },
        { keyName, keyId, algorithm: 'Ed25519', signature },
        verifierKey,
      ),
    { code: 'signature-invalid' },
  );
});

test('a folder that is not mounted and a link are not called done; a program reads the key from stdin', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-outside-'));
  t.after(() => rm(folder, { recursive: true }));
  const [volume, scans] = [join(folder, 'volume'), join(folder, 'scans')];
  await mkdir(join(volume, '1'), { recursive: true });
  await mkdir(scans);
  await symlink(join(volume, '1'), join(scans, '1'));
  const program = join(folder, 'crm');
  await writeFile(program, `#!/bin/sh\ncat > '${join(folder, 'told')}'\n`, { mode: 0o700 });
  const columns = { id: { category: 'user.unique_id' }, name: { category: 'user.name' } };
  const files = (at: string) => ({ kind: 'files', of: 'person', at, export: false, erase: true }) as const;
  const bench = await workbench(t, {
    schema: "create table people (id bigint primary key, name text); insert into people values (1, 'Ada')",
    map: {
      version: 1,
      tenant: 'fixed',
      subjects: { person: { table: 'public.people', key: 'id', find_by: ['name'], label: 'name' } },
      tables: { 'public.people': { columns } },
      outside: {
        away: files(join(folder, 'mnt', 'scans', '{key}')),
        linked: files(join(scans, '{key}')),
        nothing: files(join(scans, 'of-{key}')),
        crm: { kind: 'command', of: 'person', at: program, export: false, erase: true },
      },
    },
  });
  const done = await bench.erase('person:1');
  const { document } = JSON.parse(await readFile(done.certificate ?? '', 'utf8'));
  const copies: readonly { readonly place: string; readonly state: string; readonly note: string }[] = document.externalCopies;
  const states = new Map(copies.map(({ place: name, state, note }) => [name, [state, note]]));
  assert.deepEqual(
    ['away', 'linked', 'nothing', 'crm'].map((name) => states.get(name)?.[0]),
    ['pending', 'pending', 'done', 'done'],
  );
  assert.match(states.get('away')?.[1] ?? '', /mounted/);
  assert.match(states.get('linked')?.[1] ?? '', /a link/);
  assert.equal((await lstat(join(scans, '1'))).isSymbolicLink(), true);
  assert.equal(await readFile(join(folder, 'told'), 'utf8'), '1\n');
});
