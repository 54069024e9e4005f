import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inflateSync } from 'node:zlib';
import { pdfDocument } from './pdf.ts';

/** Everything in the streams of a PDF, and what stands around them. */
function contentOf(pdf: Buffer): string {
  const text = pdf.toString('latin1');
  const streams = [...text.matchAll(/stream\r?\n([\s\S]*?)\r?\nendstream/g)].map(([, stream = '']) =>
    Buffer.from(stream, 'latin1'),
  );
  const read = streams.map((stream) => (stream[0] === 0x78 ? inflateSync(stream).toString('latin1') : ''));
  return [text, ...read].join('\n');
}

async function written(value: string): Promise<string> {
  const chunks: Buffer[] = [];
  const sink = { write: async (chunk: Buffer | string) => void chunks.push(Buffer.from(chunk)), end: async () => undefined };
  const heading = { subject: 'patient:42', at: new Date('2026-01-01T00:00:00Z'), controller: 'Practice' };
  await pdfDocument(sink as never, heading, async (page) => {
    page.table('public.patients');
    await page.row([{ name: 'full_name', value }]);
  });
  return contentOf(Buffer.concat(chunks));
}

test('a name of another script than the Latin is written in its own letters', async () => {
  const content = await written('Ελένη Παπαδοπούλου, Юлия Щукина, Łukasz Żółć');
  assert.match(content, /DejaVuSans/);
  // The table by which a reader gives the letters back: of epsilon, of yu, of l with a stroke.
  for (const code of ['0395', '042e', '0141']) assert.match(content, new RegExp(`<${code}`), code);
});

test('what the font has no letter for is written as its code, and plain Latin needs no font in the document', async () => {
  assert.match(await written('Łi 李'), /DejaVuSans/);
  assert.doesNotMatch(await written('José Müller'), /DejaVuSans/);
});
