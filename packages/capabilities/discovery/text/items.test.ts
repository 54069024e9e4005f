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

  it('are refused where an item is neither', async () => {
    for (const text of ['"a"\n{"x":1}', '["a",1]', '["a"', '["a"] x', '{"text":"a"}\nplain'])
      assert.equal(await refusal(text), 'text-malformed', text);
  });
});
