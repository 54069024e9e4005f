import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import fc from 'fast-check';
import { newId, systemClock } from '@safekeep/core';
import { createSigningKey, signingKeyFromPem } from '@safekeep/crypto';
import { segmentPath } from '../files/segments.ts';
import type { FaultCode, Receipt, Seen } from '../model.ts';
import { readLine, writeLine } from '../rules/line.ts';
import { newLedgerKey, readLedgerKey } from '../rules/mark.ts';
import { done, fill, gather, intent, workbench, type Workbench } from '../testing/workbench.ts';
import { verifyLedger } from './verify-ledger.ts';

const SEGMENT_BYTES = 3000;

async function filled(t: Parameters<typeof workbench>[0], options?: Parameters<typeof workbench>[1]): Promise<Workbench> {
  const bench = await workbench(t, options);
  const ledger = await bench.open({ segmentBytes: SEGMENT_BYTES });
  await fill(ledger, 12);
  ledger.close();
  assert.ok((await bench.segments()) >= 3);
  assert.equal((await bench.verify()).ok, true);
  return bench;
}

const codes = async (bench: Workbench, options?: Parameters<Workbench['verify']>[0]): Promise<readonly FaultCode[]> =>
  (await bench.verify(options)).faults.map(({ code }) => code);
const lines =
  (change: (lines: string[]) => string[]) =>
  (text: string): string =>
    `${change(text.trimEnd().split('\n')).join('\n')}\n`;

const STRANGERS_KEY = { ledger: newId<'ledger'>(), key: createSecretKey(Buffer.alloc(32, 7)) };

/** Makes the hashes of a whole ledger right again, as somebody would who may write the files but has no key. */
async function rechain(bench: Workbench): Promise<void> {
  let head = { sequence: 0, sha256: '0'.repeat(64) };
  for (let segment = 1; segment <= (await bench.segments()); segment += 1) {
    const path = segmentPath(bench.directory, segment);
    const texts = (await readFile(path, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((text) => {
        const line = writeLine(JSON.parse(text).entry, { head, key: STRANGERS_KEY });
        head = line.head;
        return line.text;
      });
    await writeFile(path, `${texts.join('\n')}\n`);
  }
}

const ATTACKS: readonly { readonly name: string; readonly change: (text: string) => string; readonly found: FaultCode }[] = [
  { name: 'an edited line', change: (text) => text.replace('"public.patients":1', '"public.patients":2'), found: 'hash-wrong' },
  { name: 'a deleted line', change: lines((all) => all.toSpliced(2, 1)), found: 'sequence-wrong' },
  {
    name: 'two swapped lines',
    change: lines(([a, b, c, d, ...rest]) => [a, b, d, c, ...rest].map(String)),
    found: 'sequence-wrong',
  },
  { name: 'a doubled line', change: lines((all) => all.toSpliced(2, 0, String(all[2]))), found: 'sequence-wrong' },
  { name: 'a shortened line', change: (text) => text.replace(/"}\n/, '\n'), found: 'line-broken' },
  { name: 'a blank in a line', change: (text) => text.replace('{"entry"', '{ "entry"'), found: 'hash-wrong' },
  { name: 'an empty line', change: (text) => text.replace('\n', '\n\n'), found: 'line-broken' },
  { name: 'a cut segment', change: lines((all) => all.slice(0, -2)), found: 'checkpoint-missing' },
];
for (const { name, change, found } of ATTACKS) {
  test(`${name} is found, with its place`, async (t) => {
    const bench = await filled(t);
    await bench.edit(2, change);
    const { ok, faults } = await bench.verify();
    assert.equal(ok, false);
    assert.ok(
      faults.some(({ code }) => code === found),
      JSON.stringify(faults),
    );
    assert.ok(faults.every(({ segment }) => segment === null || segment >= 2));
  });
}

test('whichever byte of a closed segment is changed, it is found', async (t) => {
  const bench = await filled(t);
  const path = segmentPath(bench.directory, 1);
  const before = await readFile(path);
  await fc.assert(
    fc.asyncProperty(fc.nat(before.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
      const changed = Buffer.from(before);
      changed[at] = (changed[at] ?? 0) ^ flip;
      await writeFile(path, changed);
      assert.equal((await bench.verify()).ok, false);
    }),
    { numRuns: 60 },
  );
  await writeFile(path, before);
  assert.equal((await bench.verify()).ok, true);
});

test('a deleted segment is found, at either end and in the middle', async (t) => {
  for (const segment of [1, 2]) {
    const bench = await filled(t);
    await rm(segmentPath(bench.directory, segment));
    assert.ok((await codes(bench)).includes('segment-missing'));
  }
  const bench = await filled(t, { copy: true });
  await rm(segmentPath(bench.directory, await bench.segments()));
  assert.deepEqual(await codes(bench), ['copy-ahead'], 'the newest one is missed by the copy');
});

test('a history that was written anew has no signature of the home', async (t) => {
  const bench = await filled(t);
  await bench.edit(1, (text) => text.replace('"public.patients":1', '"public.patients":0'));
  await rechain(bench);
  const found = await codes(bench);
  assert.deepEqual([...new Set(found)].toSorted(), ['signature-wrong', 'tag-wrong']);
});

test('an end that was changed in the newest segment, and chained anew, was written without the key: it is found and not read', async (t) => {
  const bench = await workbench(t);
  const ledger = await bench.open();
  await fill(ledger, 3);
  await bench.edit(1, (text) => text.replace('"public.patients":1', '"public.patients":0'));
  await rechain(bench);
  assert.deepEqual([...new Set(await codes(bench))], ['tag-wrong']);
  await assert.rejects(gather(ledger.read()), { code: 'ledger-broken' });
});

test('a history that was written anew with another signing key is not taken for ours', async (t) => {
  const bench = await filled(t);
  const stranger = signingKeyFromPem(createSigningKey(), 'home-1');
  const found = await codes(bench, { verifierKey: stranger.verifierKey });
  assert.ok(found.includes('signature-wrong'));
});

test('a ledger of another key, or of none, is told', async (t) => {
  const bench = await filled(t);
  assert.deepEqual(await codes(bench, { key: undefined }), ['key-wrong']);
  assert.deepEqual(await codes(bench, { key: readLedgerKey(newLedgerKey()) }), ['key-wrong']);
});

function seenOf(receipts: readonly Receipt[]): Seen {
  return { heads: receipts.map(({ sequence, sha256, id }) => ({ sequence, sha256, operation: id })), otherLedgers: 0 };
}

test('a ledger that was cut at its end, or replaced by an older copy of itself, is found by what the database has seen', async (t) => {
  const bench = await workbench(t);
  const ledger = await bench.open();
  const id = newId<'operation'>();
  const before = await ledger.append(intent(id));
  await ledger.append(done(id));
  const putBack = await bench.keep();
  const after = await ledger.append(intent());
  ledger.close();
  assert.deepEqual(await codes(bench, { seen: seenOf([before, after]) }), []);
  await putBack();
  assert.equal((await bench.verify()).ok, true, 'by itself an older ledger is whole');
  assert.deepEqual(await codes(bench, { seen: seenOf([before, after]) }), ['head-missing']);
  const again = await bench.open();
  await again.append(intent());
  assert.deepEqual(await codes(bench, { seen: seenOf([before, after]) }), ['head-missing'], 'also after it has grown on');
  await rm(bench.directory, { recursive: true });
  assert.deepEqual(await codes(bench, { seen: seenOf([before]) }), ['head-missing'], 'also when it is gone');
});

test('a copy that says otherwise or more is found', async (t) => {
  const bench = await filled(t, { copy: true });
  const path = segmentPath(bench.copyDirectory, 1);
  const before = await readFile(path, 'utf8');
  await writeFile(path, before.replace('"public.patients":1', '"public.patients":2'));
  assert.deepEqual(await codes(bench), ['copy-differs']);
  await writeFile(path, `${before}x`);
  assert.deepEqual(await codes(bench), ['copy-ahead']);
  await truncate(path, 10);
  const { copy, ok } = await bench.verify();
  assert.deepEqual([copy.state, ok], ['behind', true]);
});

test('an incomplete last line is told and is no fault; in the middle it is one', async (t) => {
  const bench = await filled(t);
  const last = segmentPath(bench.directory, await bench.segments());
  const { size } = await stat(last);
  await truncate(last, size - 20);
  const { ok, torn } = await bench.verify();
  assert.deepEqual([ok, torn], [true, true]);
  await truncate(segmentPath(bench.directory, 1), 2000);
  assert.equal((await bench.verify()).ok, false);
});

test('operations that end without having begun, or begin twice, are told', async (t) => {
  const bench = await workbench(t);
  const ledger = await bench.open();
  const id = newId<'operation'>();
  await ledger.appendAll([done(id), intent(id), intent(id)]);
  assert.deepEqual(await codes(bench), ['order-wrong', 'order-wrong', 'order-wrong']);
});

test('where there is no ledger there is nothing to find fault with', async (t) => {
  const { directory, signer } = await workbench(t);
  const {
    ok,
    ledger,
    lines: count,
    head,
  } = await verifyLedger({ directory, verifierKey: signer.verifierKey, key: undefined, seen: undefined, clock: systemClock });
  assert.deepEqual([ok, ledger, count, head], [true, null, 0, null]);
});

test('a line is read as it was written, byte for byte', () => {
  const entry = {
    ...intent(),
    at: '2026-11-21T10:00:00.000Z',
    id: '01994b0e-7c4a-7000-8000-5f2f6d8b9c10',
    ids: {},
    kind: 'intent' as const,
    counts: { 'public."Ünï"': 2 },
  };
  const { text, head } = writeLine(entry, { head: { sequence: 6, sha256: 'a'.repeat(64) }, key: STRANGERS_KEY });
  // Made with another program.
  const tag = 'fd854e6e0e5aecf3f951ab6823f22fbe853d59ff61faf0333b309a63fbfee00d';
  assert.equal(
    text,
    `{"entry":{"at":"2026-11-21T10:00:00.000Z","counts":{"public.\\"Ünï\\"":2},"id":"01994b0e-7c4a-7000-8000-5f2f6d8b9c10","ids":{},"kind":"intent","marks":[],"operation":"erasure","tenant":"default"},"previous":"${'a'.repeat(64)}","sequence":7,"sha256":"${head.sha256}","tag":"${tag}"}`,
  );
  assert.deepEqual(readLine(text), { entry, previous: 'a'.repeat(64), sequence: 7, sha256: head.sha256, tag });
  // The same: SHA-256 of the line without its last two members.
  assert.equal(head.sha256, '2aafac4533ec690ab2f8d9f009a160f53dd78884bbcb8b6018e94bbd14815601');
});
