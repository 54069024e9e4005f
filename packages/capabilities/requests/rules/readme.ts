import type { DataMap } from '@safekeep/core';
import { processingText, type Processing } from './processing.ts';

/** What lies in the export, for the person: no jargon. */
export function readmeText({
  subject,
  at,
  controller,
  tables,
  withheld,
  window,
  windowed,
  processing,
  looks,
}: {
  readonly subject: string;
  readonly at: string;
  readonly controller: DataMap['controller'];
  readonly tables: readonly { readonly table: string; readonly rows: number; readonly file: string }[];
  readonly withheld: readonly { readonly table: string; readonly column: string; readonly reason: string }[];
  readonly window: { readonly from: Date | null; readonly to: Date | null };
  readonly windowed: readonly string[];
  readonly processing: Processing;
  /** How often somebody looked, as far as it is known. */
  readonly looks: number;
}): string {
  const period =
    window.from === null && window.to === null
      ? []
      : [
          `Only data ${window.from === null ? '' : `from ${window.from.toISOString()} on`}${window.to === null ? '' : ` before ${window.to.toISOString()}`} stands in: ${windowed.join(', ') || 'no table'}.`,
          'The other tables have no date to go by and are complete.',
          '',
        ];
  return [
    `Data of ${subject}`,
    `Made on ${at}${controller === null ? '' : ` by ${controller.name}`}.`,
    ...(controller === null ? [] : [`Questions: ${controller.contact}`]),
    '',
    'data.json      everything, for programs (not in an export of CSV files)',
    'tables/*.csv   the same, one file for each table, for spreadsheets',
    `accessLog.csv  who looked at the data, and when: ${looks} time(s) on record`,
    'manifest.json  the SHA-256 of each file, signed',
    '',
    ...period,
    ...tables.map(({ table, rows, file }) => `${String(rows).padStart(8)}  ${table}  (${file})`),
    '',
    ...processingText(processing, controller),
    'A cell of a spreadsheet, or a part of one, that would begin with = + - @ has an apostrophe before it, so that it is not run as a formula.',
    'What stands in shared entries about other people has been left out.',
    ...(withheld.length === 0
      ? []
      : ['', 'Left out:', ...withheld.map(({ table, column, reason }) => `  ${table}.${column}: ${reason}`)]),
    '',
  ].join('\n');
}
