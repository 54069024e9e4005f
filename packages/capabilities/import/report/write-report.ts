import { join } from 'node:path';
import type { Signature } from '@safekeep/crypto';
import { privateFiles } from '@safekeep/files';
import type { ImportResult } from '../model.ts';
import { reportHtml } from './html.ts';
import { reportMarkdown } from './markdown.ts';
import { reportParts, reportTitle } from './report-document.ts';

/** What the signature in a report covers: `verify(REPORT_KIND, file.document, file.signature, key from elsewhere)`. */
export const REPORT_KIND = 'import-report';

export type Signed = { readonly signature: Signature; readonly verifierKey: string };

// Names of tables and columns and places of rows tell about a practice: for its owner only.
const { makeFolder, replaceFile } = privateFiles();

/** Writes the signed report and its readable forms into the home and returns the path of the signed one. */
export async function writeReport(home: string, result: ImportResult, signed: Signed): Promise<string> {
  const folder = join(home, 'reports');
  await makeFolder(folder);
  const path = (extension: string): string => join(folder, `import-${result.runId}.${extension}`);
  const title = reportTitle(result);
  const parts = reportParts(result);
  await replaceFile(path('md'), reportMarkdown(title, parts));
  await replaceFile(path('html'), reportHtml(title, parts));
  await replaceFile(path('json'), `${JSON.stringify({ kind: REPORT_KIND, document: result, ...signed }, undefined, 2)}\n`);
  return path('json');
}
