import { globSync, statSync } from 'node:fs';
import path from 'node:path';
import { UsageError } from './options.ts';

const PLACES = ['packages', 'tools', 'tests', 'bench', 'examples'];

export type Selection = {
  readonly root: string;
  /** What a person typed, relative to the folder they stood in. */
  readonly filters: readonly string[];
  readonly long: boolean;
};

/**
 * The test files to run, relative to the root with `/`, those of the whole product first, then the biggest: what takes longest then
 * does not start last, with one core idle beside it. A filter that matches nothing is a typing error and throws.
 */
export function selectFiles({ root, filters, long }: Selection): string[] {
  const files = PLACES.flatMap((place) => globSync(`${place}/**/*.test.ts`, { cwd: root, exclude: isForeign }))
    .map((file) => file.replaceAll(path.sep, '/'))
    .filter((file) => long || !file.endsWith('.long.test.ts'));
  const matches = filters.map((filter) => {
    const found = files.filter((file) => matchesFilter(file, toRelative(root, filter)));
    if (found.length === 0)
      throw new UsageError(`no test file matches ${filter}${long ? '' : ' (*.long.test.ts files need --long)'}`);
    return found;
  });
  const selected = filters.length === 0 ? files : [...new Set(matches.flat())];
  const isWhole = (file: string): number => (file.startsWith('tests/') ? 1 : 0);
  return selected.sort((a, b) => isWhole(b) - isWhole(a) || sizeOf(root, b) - sizeOf(root, a) || a.localeCompare(b));
}

function isForeign(name: string): boolean {
  return /(^|[/\\])(node_modules|dist)$/.test(name);
}

/** `./x.test.ts`, an absolute path and `packages/core/` all mean a place; anything else may also be part of a path. */
function toRelative(root: string, filter: string): string {
  const relative = path.relative(root, path.resolve(root, filter)).replaceAll(path.sep, '/');
  return relative.startsWith('..') ? filter : relative;
}

function matchesFilter(file: string, filter: string): boolean {
  return file === filter || file.startsWith(`${filter}/`) || file.includes(filter);
}

function sizeOf(root: string, file: string): number {
  return statSync(path.join(root, file)).size;
}
