import { once } from 'node:events';
import { createRequire } from 'node:module';
import type { Sink } from './sink.ts';

export type PdfPage = {
  readonly table: (name: string) => void;
  readonly row: (cells: readonly { readonly name: string; readonly value: string | null }[]) => Promise<void>;
};

/** One value may take so many characters; the rest stands in the other formats. */
const CHARACTERS_AT_MOST = 4000;

const LATIN_1 = { plain: 'Helvetica', bold: 'Helvetica-Bold' };
/** Of Latin, Greek, Cyrillic, Armenian and Georgian, of which DejaVu Sans has every letter and sign. */
const DEJAVU =
  /[\u0020-\u02af\u0370-\u03ff\u0400-\u0525\u0531-\u055f\u0561-\u0587\u10d0-\u10fc\u1e00-\u1efb\u1f00-\u1fff\u2010-\u2027\u2030-\u205e\u20a0-\u20b5\u2116-\u2122]/u;

/** Writes a document page by page: a heading, then the values that `fill` gives, one beneath the other. */
export async function pdfDocument(
  sink: Sink,
  heading: { readonly subject: string; readonly at: Date; readonly controller: string | null },
  fill: (page: PdfPage) => Promise<void>,
): Promise<void> {
  // Loaded when a PDF is asked for: it takes as long as the start of a short command.
  const { default: PdfDocument } = await import('pdfkit');
  const document = new PdfDocument({
    size: 'A4',
    margin: 50,
    info: {
      Title: `Data of ${heading.subject}`,
      CreationDate: heading.at,
      ...(heading.controller === null ? {} : { Author: heading.controller }),
    },
  });
  const drain = async (): Promise<void> => {
    // A PDF document is a stream of bytes; its types say so of any value.
    for await (const chunk of document as AsyncIterable<Buffer>) await sink.write(chunk);
  };
  const draining = drain();
  const write = (text: string, style: keyof typeof LATIN_1 = 'plain', options: { readonly continued?: boolean } = {}) => {
    const shown = printable(text.normalize('NFC'));
    return document.font(fontFor(shown)[style]).text(shown, options);
  };
  document.fontSize(18);
  write(`Data of ${heading.subject}`);
  document.fontSize(9);
  write(`${heading.controller === null ? '' : `${heading.controller}, `}${heading.at.toISOString()}`).moveDown();
  await fill({
    table: (name) => {
      document.moveDown().fontSize(13);
      write(name).moveDown(0.3);
    },
    row: async (cells) => {
      for (const { name, value } of cells) {
        if (value === null) continue;
        document.fontSize(8);
        if (name !== '') write(`${name}: `, 'bold', { continued: true });
        write(value);
      }
      document.moveDown(0.5);
      if (document.readableLength > document.readableHighWaterMark)
        await Promise.race([once(document, 'drain'), new Promise(setImmediate)]);
    },
  });
  document.end();
  await draining;
}

/** The fonts that every reader has know Latin-1 only; for more the letters go into the document with it. */
function fontFor(text: string): typeof LATIN_1 {
  return [...text].every((sign) => sign <= '\u00ff') ? LATIN_1 : dejavu();
}

function dejavu(): typeof LATIN_1 {
  const { resolve } = createRequire(import.meta.url);
  return { plain: resolve('dejavu-fonts-ttf/ttf/DejaVuSans.ttf'), bold: resolve('dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf') };
}

/** What has no letter in the document is written as its code, so that nothing is lost. */
function printable(text: string): string {
  const cut = text.length > CHARACTERS_AT_MOST ? `${text.slice(0, CHARACTERS_AT_MOST)} […]` : text;
  const written = (sign: string): string =>
    sign <= '\u00ff' || DEJAVU.test(sign) ? sign : `\\u{${(sign.codePointAt(0) ?? 0).toString(16)}}`;
  return [...cut].map(written).join('') || ' ';
}
