import { dependenciesIn, isManifest } from '../manifests.ts';
import type { Fault, Rule } from '../rule.ts';

const PAGE = 'docs/dependencies.md';
/** Ours, explained in ARCHITECTURE.md. */
const OWN = /^(@safekeep\/.*|safekeep)$/;

export const dependenciesExplained: Rule = {
  name: 'dependencies-explained',
  why: 'Each dependency is code we answer for: why it is here, what we would write instead, and who keeps it.',
  check: (files) => {
    const page = files.find(({ path }) => path === PAGE);
    if (page === undefined) return [{ path: PAGE, line: 1, message: 'is missing' }];
    const explained = new Map(rowsOf(page.text));
    const used = new Map(
      files.filter(isManifest).flatMap((file) => dependenciesIn(file).map(({ name }) => [name, file.path] as const)),
    );
    const missing: Fault[] = [...used]
      .filter(([name]) => !OWN.test(name) && !explained.has(name))
      .map(([name, path]) => ({ path, line: 1, message: `${name} has no line in ${PAGE}` }));
    const gone: Fault[] = [...explained]
      .filter(([name]) => !used.has(name))
      .map(([name, line]) => ({ path: PAGE, line, message: `${name} is explained but no longer used` }));
    return [...missing, ...gone];
  },
};

/** The names in backticks of the first column of each table, with their lines. A row may explain a family of packages. */
function rowsOf(text: string): [string, number][] {
  return text.split('\n').flatMap((row, index) => {
    const first = /^\|([^|]*)\|/.exec(row)?.[1] ?? '';
    return [...first.matchAll(/`([^`]+)`/g)].map(([, name = '']): [string, number] => [name, index + 1]);
  });
}
