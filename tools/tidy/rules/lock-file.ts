import { dependenciesIn, dependenciesOf, isManifest, recordOf, type Dependency } from '../manifests.ts';
import type { Fault, RepositoryFile, Rule } from '../rule.ts';

const LOCK = 'package-lock.json';

export const lockFile: Rule = {
  name: 'lock-file',
  why: 'The lock file decides what is installed everywhere: it must be the one of these manifests, and from no particular registry.',
  check: (files) => {
    const lock = files.find(({ path }) => path === LOCK);
    if (lock === undefined) return [{ path: LOCK, line: 1, message: 'is missing' }];
    return [...hostsIn(lock), ...files.filter(isManifest).flatMap((file) => compare(file, lock))];
  },
};

function hostsIn(lock: RepositoryFile): Fault[] {
  return lock.text
    .split('\n')
    .flatMap((line, index) =>
      /"resolved": "(https?|git)/.test(line)
        ? [{ path: LOCK, line: index + 1, message: `carries the place it came from: ${line.trim().slice(0, 80)}` }]
        : [],
    );
}

function compare(manifest: RepositoryFile, lock: RepositoryFile): Fault[] {
  const packages = recordOf(recordOf(JSON.parse(lock.text))['packages']);
  const folder = manifest.path.replace(/\/?package\.json$/, '');
  const wanted = describe(dependenciesIn(manifest));
  const locked = describe(dependenciesOf(packages[folder]));
  const differences = [...wanted.symmetricDifference(locked)];
  return differences.map((dependency) => ({ path: manifest.path, line: 1, message: `not in step with ${LOCK}: ${dependency}` }));
}

function describe(dependencies: readonly Dependency[]): Set<string> {
  return new Set(dependencies.map(({ name, version, group }) => `${name}@${version} (${group})`));
}
