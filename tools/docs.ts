// Generates the reference pages from the code that they describe. `--check` only compares, for CI.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { summarised } from '../bench/measure/page.ts';
import { commandPage } from '../packages/cli/documentation/commands.ts';
import { configurationPage } from '../packages/cli/documentation/configuration.ts';
import { categoryPage, mapProblemPage, mapSchemaFile } from '../packages/cli/documentation/datamap.ts';
import { errorPage } from '../packages/cli/documentation/errors.ts';
import { kindPage } from '../packages/cli/documentation/kinds.ts';

const DOCS = join(import.meta.dirname, '..', 'docs');

const pages: Readonly<Record<string, () => string | Promise<string>>> = {
  'cli.md': commandPage,
  'configuration.md': configurationPage,
  'categories.md': categoryPage,
  'datamap.schema.json': mapSchemaFile,
  'errors.md': errorPage,
  'kinds.md': kindPage,
  'map-problems.md': mapProblemPage,
  // The sections come from `npm run bench`; the summary over them from the results that it kept.
  'performance.md': () =>
    summarised({
      page: join(DOCS, 'performance.md'),
      results: join(DOCS, '..', 'bench', 'results'),
      benches: join(DOCS, '..', 'bench'),
    }),
};

const check = process.argv.includes('--check');
const stale: string[] = [];
for (const [name, render] of Object.entries(pages)) {
  const path = join(DOCS, name);
  const wanted = await render();
  if ((await readFile(path, 'utf8').catch(() => '')) === wanted) continue;
  stale.push(`docs/${name}`);
  if (!check) await writeFile(path, wanted);
}
if (stale.length > 0) console.log(check ? `out of date: ${stale.join(', ')}; run npm run docs` : `wrote ${stale.join(', ')}`);
process.exitCode = check && stale.length > 0 ? 1 : 0;
