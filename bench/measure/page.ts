import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { listBenches } from './registry.ts';
import { report, summary } from './report.ts';
import type { BenchResult } from './result.ts';

/** Where results are kept; both are committed. */
export type Records = {
  /** Absolute path of docs/performance.md. */
  readonly page: string;
  /** Absolute path of bench/results. */
  readonly results: string;
  /** Absolute path of the folder with the benches. */
  readonly benches: string;
};

/** Keeps a result as JSON, as its own section of the page and in the summary; everything else of the page stays as it is. */
export async function record(result: BenchResult, { page, results, benches }: Records): Promise<void> {
  await mkdir(results, { recursive: true });
  await replaceFile(join(results, `${result.bench}.${result.scale}.json`), `${JSON.stringify(result, null, 2)}\n`);
  await replaceFile(page, withSection(await readFile(page, 'utf8'), `${result.bench} ${result.scale}`, report(result)));
  await replaceFile(page, await summarised({ page, results, benches }));
}

/** The page with its summary as the kept results have it. */
export async function summarised({ page, results, benches }: Records): Promise<string> {
  const files = (await readdir(results)).filter((file) => file.endsWith('.json')).toSorted();
  // Written by `record`.
  const read = async (file: string): Promise<BenchResult> => JSON.parse(await readFile(join(results, file), 'utf8')) as BenchResult;
  const kept = await Promise.all(files.map(read));
  const neverRun = (await listBenches(benches)).map(({ name }) => name).filter((name) => !kept.some(({ bench }) => bench === name));
  return withSection(await readFile(page, 'utf8'), 'summary', summary(kept, neverRun));
}

/**
 * The page with the section of this key replaced, or added at the end.
 *
 * @throws an Error when the markers of the section are damaged: guessing where it ends could eat what people wrote.
 */
export function withSection(page: string, key: string, body: string): string {
  const [begin, end] = [`<!-- bench ${key}: begin -->`, `<!-- bench ${key}: end -->`];
  const section = `${begin}\n\n${body}\n\n${end}`;
  const [before, ...afterBegin] = page.split(begin);
  if (before === undefined || (afterBegin.length === 0 && !page.includes(end))) return `${page.trimEnd()}\n\n${section}\n`;
  const [, after, ...more] = (afterBegin[0] ?? '').split(end);
  if (afterBegin.length !== 1 || after === undefined || more.length > 0) {
    throw new Error(`The page must hold "${begin}" and then "${end}" once each. It was not changed.`);
  }
  return `${before}${section}${after}`;
}

/** Whoever reads meanwhile sees the old file or the new one, never half of one. */
async function replaceFile(path: string, text: string): Promise<void> {
  const half = `${path}.${process.pid}.new`;
  await writeFile(half, text);
  await rename(half, path);
}
