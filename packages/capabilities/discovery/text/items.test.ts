import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import fc from 'fast-check';
import { readItems, type Item } from './items.ts';

async function* cut(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(text: string | Buffer, size = 7): Promise<readonly Item[]> {
  const items: Item[] = [];
  for await (const item of readItems(cut(Buffer.from(text), size))) items.push(item);
  return items;
}

const refusal = (text: string): Promise<string> =>
  read(text).then(
    () => 'nothing was thrown',
    (error: unknown) => (isSafekeepError(error) ? error.code : String(error)),
  );

describe('the forms of input', () => {
  it('are lines of JSON: strings, objects with text or full_text, with or without id', async () => {
    assert.deepEqual(await read('"a\\nb"\n\n{"text":"c","id":"x"}\r\n{"full_text":"d","id":7}\n{"full_text":"e"}'), [
      { id: 1, text: 'a\nb' },
      { id: 'x', text: 'c' },
      { id: 7, text: 'd' },
      { id: 5, text: 'e' },
    ]);
  });

  it('are a JSON array of these', async () => {
    assert.deepEqual(await read(' [ "a,]" ,{"text":"[{\\"","id":"x"},\n"\\\\" ] \n'), [
      { id: 1, text: 'a,]' },
      { id: 'x', text: '[{"' },
      { id: 3, text: '\\' },
    ]);
    assert.deepEqual(await read('[]'), []);
  });

  it('are plain text by line, blank ones too, also where it looks like JSON at first', async () => {
    assert.deepEqual(await read('one\n\ntwo\r\n'), [
      { id: 1, text: 'one' },
      { id: 2, text: '' },
      { id: 3, text: 'two' },
    ]);
    assert.deepEqual((await read('[INFO] started\n[WARN] x')).length, 2);
    assert.deepEqual((await read('"Quoted," she said.\nThen')).length, 2);
    assert.deepEqual(await read(''), []);
  });

  it('may hold invalid UTF-8, NULs and a byte order mark', async () => {
    assert.deepEqual(await read(Buffer.from([0xef, 0xbb, 0xbf, 0x61, 0xff, 0x00, 0x62])), [{ id: 1, text: 'a\uFFFD\u0000b' }]);
  });

  it('do not depend on where the chunks are cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ id: fc.string({ maxLength: 3 }), text: fc.string({ unit: 'grapheme', maxLength: 20 }) }), {
          maxLength: 5,
        }),
        fc.integer({ min: 1, max: 50 }),
        fc.boolean(),
        async (items, size, asArray) => {
          const text = asArray ? JSON.stringify(items) : items.map((item) => JSON.stringify(item)).join('\n');
          assert.deepEqual(
            await read(text, size),
            items.map(({ id, text: body }) => ({ id, text: body })),
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  it('may hold private keys, whose lines are one item', async () => {
    const key = '-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIBOgIBAAJBAKj3\n  -----END RSA PRIVATE KEY-----';
    assert.deepEqual(await read(`a\nkey: ${key}\nb\n-----BEGIN PRIVATE KEY-----\nMIIB\nno line of a key\n${key.slice(0, 60)}`), [
      { id: 1, text: 'a' },
      { id: 2, text: `key: ${key}` },
      { id: 7, text: 'b' },
      { id: 8, text: '-----BEGIN PRIVATE KEY-----\nMIIB' },
      { id: 10, text: 'no line of a key' },
      { id: 11, text: key.slice(0, 60) },
    ]);
    const endless = await read(`-----BEGIN PRIVATE KEY-----\n${'MIIB\n'.repeat(10_000)}`, 4_096);
    assert.ok(endless.every(({ text }) => text.length < 20_000) && endless.length > 5_000);
  });

  it('take time in proportion to the blanks that they begin with', async () => {
    const timeOf = async (chunks: number): Promise<number> => {
      const from = performance.now();
      await read(Buffer.alloc(chunks * 64, 32), 64);
      return performance.now() - from;
    };
    await timeOf(2_000);
    let factor = Infinity;
    for (let tries = 0; tries < 5 && factor > 6; tries += 1) factor = (await timeOf(32_000)) / (await timeOf(8_000));
    assert.ok(factor <= 6, `${factor.toFixed(1)} times as long for four times as many`);
  });

  it('are refused where an item is neither', async () => {
    for (const text of ['"a"\n{"x":1}', '["a",1]', '["a"', '["a"] x', '{"text":"a"}\nplain'])
      assert.equal(await refusal(text), 'text-malformed', text);
  });

  it('are refused where one is longer than memory is for, after what came before it was read', async () => {
    const part = Buffer.alloc(1024 * 1024, 'a');
    async function* endless(head: string): AsyncGenerator<Buffer> {
      yield Buffer.from(head);
      for (let parts = 0; parts <= 128; parts += 1) yield part;
    }
    for (const head of ['first\n', '{"text":"first"}\n{"text":"', '["first","']) {
      const before: string[] = [];
      const reading = async (): Promise<void> => {
        for await (const { text } of readItems(endless(head))) before.push(text);
      };
      await assert.rejects(
        reading(),
        (error) => isSafekeepError(error, 'text-too-long') && error.message.startsWith('Item 2 is longer'),
      );
      assert.deepEqual(before, ['first'], head);
    }
  });
});
