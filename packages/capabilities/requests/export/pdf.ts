import { once } from 'node:events';
import type { Sink } from './sink.ts';

export type PdfPage = {
  readonly table: (name: string) => void;
  readonly row: (cells: readonly { readonly name: string; readonly value: string | null }[]) => Promise<void>;
};

/** One value may take so many characters; the rest stands in the other formats. */
const CHARACTERS_AT_MOST = 4000;

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
  document.fontSize(18).text(`Data of ${heading.subject}`);
  document
    .fontSize(9)
    .text(`${heading.controller === null ? '' : `${heading.controller}, `}${heading.at.toISOString()}`)
    .moveDown();
  await fill({
    table: (name) => void document.moveDown().fontSize(13).text(name).moveDown(0.3),
    row: async (cells) => {
      for (const { name, value } of cells) {
        if (value === null) continue;
        document.fontSize(8);
        if (name !== '') document.font('Helvetica-Bold').text(`${printable(name)}: `, { continued: true });
        document.font('Helvetica').text(printable(value));
      }
      document.moveDown(0.5);
      if (document.readableLength > document.readableHighWaterMark)
        await Promise.race([once(document, 'drain'), new Promise(setImmediate)]);
    },
  });
  document.end();
  await draining;
}

/** The fonts that every reader has know Latin-1 only; what they do not know is written as its code, so that nothing is lost. */
function printable(text: string): string {
  const cut = text.length > CHARACTERS_AT_MOST ? `${text.slice(0, CHARACTERS_AT_MOST)} […]` : text;
  return (
    [...cut]
      .map((sign) => ((sign.codePointAt(0) ?? 0) <= 0xff ? sign : `\\u{${(sign.codePointAt(0) ?? 0).toString(16)}}`))
      .join('') || ' '
  );
}
