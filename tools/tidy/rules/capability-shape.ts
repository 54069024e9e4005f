import { placeOf } from '../places.ts';
import type { Fault, RepositoryFile, Rule } from '../rule.ts';

const README_LINES = 60;
const REQUIRED = ['README.md', 'index.ts'];
const TOP_FILES = new Set([...REQUIRED, 'model.ts', 'rules.ts', 'store.ts', 'routes.ts', 'jobs.ts', 'commands.ts']);

export const capabilityShape: Rule = {
  name: 'capability-shape',
  why: 'Who has learnt one capability knows them all: the same files by the same names, and one page that says what it does.',
  check: (files) => {
    const capabilities = Map.groupBy(files, ({ path }) => placeOf(path).capability);
    return [...capabilities].flatMap(([name, members]) => (name === undefined ? [] : checkCapability(name, members)));
  },
};

function checkCapability(name: string, files: readonly RepositoryFile[]): Fault[] {
  const folder = `packages/capabilities/${name}`;
  const within = new Map(files.map((file) => [placeOf(file.path).within, file]));
  const missing = REQUIRED.filter((file) => !within.has(file)).map((file) => ({
    path: folder,
    line: 1,
    message: `${file} is missing`,
  }));
  const strange = [...within.keys()]
    .filter((file) => !file.includes('/') && !TOP_FILES.has(file.replace(/(\.long)?\.test\.ts$/, '.ts')))
    .map((file) => ({
      path: `${folder}/${file}`,
      line: 1,
      message: `a capability has no file of this name; its files are ${[...TOP_FILES].join(', ')}, everything else stands in a folder`,
    }));
  const lines = within.get('README.md')?.text.trimEnd().split('\n').length ?? 0;
  const long =
    lines <= README_LINES
      ? []
      : [{ path: `${folder}/README.md`, line: README_LINES + 1, message: `has ${lines} lines; ${README_LINES} are enough` }];
  return [...missing, ...strange, ...long];
}
