import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Signature } from '@safekeep/crypto';
import type { ImportResult } from '../model.ts';
import { reportHtml } from './html.ts';
import { reportMarkdown } from './markdown.ts';
import { reportParts, reportTitle } from './report-document.ts';

/** What the signature in a report covers: `verify(REPORT_KIND, file.document, file.signature, key from elsewhere)`. */
export const REPORT_KIND = 'import-report';

export type Signed = { readonly signature: Signature; readonly verifierKey: string };

// Names of tables and columns and places of rows tell about a practice: for its owner only.
const PRIVATE = { mode: 0o600 };

/** Writes the signed report and its readable forms into the home and returns the path of the signed one. */
export async function writeReport(home: string, result: ImportResult, signed: Signed): Promise<string> {
  const folder = join(home, 'reports');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = (extension: string): string => join(folder, `import-${result.runId}.${extension}`);
  const title = reportTitle(result);
  const parts = reportParts(result);
  await writeFile(path('md'), reportMarkdown(title, parts), PRIVATE);
  await writeFile(path('html'), reportHtml(title, parts), PRIVATE);
  await writeFile(path('json'), `${JSON.stringify({ kind: REPORT_KIND, document: result, ...signed }, undefined, 2)}\n`, PRIVATE);
  return path('json');
}
