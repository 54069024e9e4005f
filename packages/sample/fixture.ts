import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after } from 'node:test';
import { generatePractice, type PracticeRequest, type PracticeSummary } from './generate.ts';

/** For tests: a folder that is gone when the test file has ended. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-sample-'));
  after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** For tests: a fresh practice, open for reading, until the test file has ended. */
export async function openPractice(
  request: Partial<PracticeRequest> = {},
): Promise<{ readonly database: DatabaseSync; readonly summary: PracticeSummary }> {
  const summary = await generatePractice({ file: join(await temporaryFolder(), 'practice.db'), size: 'small', ...request });
  const database = new DatabaseSync(summary.file, { readOnly: true });
  after(() => database.close());
  return { database, summary };
}

/** The first column of the first row, however wide an integer it is. */
export function only(database: DatabaseSync, sql: string): unknown {
  const statement = database.prepare(sql);
  statement.setReadBigInts(true);
  const [value] = Object.values(statement.get() ?? {});
  return typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : value;
}
