import { isoDate, MINUTES_OF_DAY, utcTime, type Minute } from '../calendar.ts';
import type { Patient, Staff } from '../people/people.ts';
import { Random } from '../random.ts';
import { plain } from '../words/names.ts';
import type { Practice } from './practice.ts';

type Upload = { readonly patient: Patient; readonly uploader: Staff; readonly at: Minute };

/** A signed consent as a PDF: the signer's name stands inside the file. */
export function uploadConsent(practice: Practice, { signer, ...upload }: Upload & { readonly signer: Patient }): void {
  const day = Math.floor(upload.at / MINUTES_OF_DAY);
  const lines = [
    'Riverside Dental - consent to treatment',
    `Patient: ${asciiName(upload.patient)}, born ${isoDate(upload.patient.born)}`,
    `I have been told about the treatment and its risks, and I agree to it.`,
    `Signed ${isoDate(day)}: ${asciiName(signer)}`,
  ];
  store(practice, upload, { kind: 'consent', extension: 'pdf', mime: 'application/pdf', content: pdf(lines) });
}

/** An x-ray as an old Windows bitmap: a picture of nobody. */
export function uploadXray(practice: Practice, upload: Upload): void {
  const random = new Random(practice.seed, 'document', upload.at + upload.patient.id);
  store(practice, upload, { kind: 'x-ray', extension: 'bmp', mime: 'image/bmp', content: bitmap(random, 144, 120) });
}

/** The letter's text stands as TEXT in a BLOB column: SQLite lets it. */
export function uploadLetter(practice: Practice, upload: Upload, text: string): void {
  store(practice, upload, { kind: 'letter', extension: 'txt', mime: 'text/plain', content: text });
}

type File = { readonly kind: string; readonly extension: string; readonly mime: string; readonly content: Uint8Array | string };

function store({ insert, nextId }: Practice, { patient, uploader, at }: Upload, { kind, extension, mime, content }: File): void {
  const day = isoDate(Math.floor(at / MINUTES_OF_DAY));
  insert('documents', {
    id: nextId('documents'),
    patient_id: patient.id,
    kind,
    file_name: `${kind}_${patient.last.replaceAll(' ', '_')}_${patient.first.replaceAll(' ', '_')}_${day}.${extension}`,
    mime_type: mime,
    content,
    uploaded_by: uploader.id,
    uploaded_at: utcTime(at),
  });
}

/** The built-in fonts of PDF know no other scripts. */
function asciiName({ first, last }: Patient): string {
  return `${plain(first)} ${plain(last)}`.replaceAll(/\b[a-z]/g, (letter) => letter.toUpperCase());
}

/** One page of text (PDF 1.4, ISO 32000-1): five objects, a cross-reference table with their offsets, a trailer. */
function pdf(lines: readonly string[]): Uint8Array {
  const page = `BT /F1 11 Tf 60 760 Td 16 TL\n${lines.map((line) => `(${line}) '`).join('\n')}\nET`;
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 5 0 R /Resources << /Font << /F1 4 0 R >> >> >>',
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
    `<< /Length ${page.length} >>\nstream\n${page}\nendstream`,
  ];
  let file = '%PDF-1.4\n';
  let table = '0000000000 65535 f \n';
  for (const [index, object] of objects.entries()) {
    table += `${String(file.length).padStart(10, '0')} 00000 n \n`;
    file += `${index + 1} 0 obj\n${object}\nendobj\n`;
  }
  const count = objects.length + 1;
  return Buffer.from(
    `${file}xref\n0 ${count}\n${table}trailer\n<< /Size ${count} /Root 1 0 R >>\nstartxref\n${file.length}\n%%EOF\n`,
    'latin1',
  );
}

const BMP_HEADER = 14;
const DIB_HEADER = 40;
const GREYS = 256;

/** An uncompressed 8-bit BMP; a row of pixels fills whole words, so the width is a multiple of 4. */
function bitmap(random: Random, width: number, height: number): Uint8Array {
  const pixels = BMP_HEADER + DIB_HEADER + GREYS * 4;
  const file = Buffer.alloc(pixels + width * height);
  file.write('BM', 'latin1');
  file.writeUInt32LE(file.length, 2);
  file.writeUInt32LE(pixels, 10);
  file.writeUInt32LE(DIB_HEADER, 14);
  file.writeInt32LE(width, 18);
  file.writeInt32LE(height, 22);
  file.writeUInt16LE(1, 26);
  file.writeUInt16LE(8, 28);
  for (let grey = 0; grey < GREYS; grey += 1) file.writeUInt32LE(grey * 0x010101, BMP_HEADER + DIB_HEADER + grey * 4);
  for (let at = pixels; at < file.length; at += 4) file.writeUInt32LE(random.next() & 0x3f3f3f3f, at);
  return file;
}
