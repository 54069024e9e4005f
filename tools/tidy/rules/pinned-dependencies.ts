import type { Fault, RepositoryFile, Rule } from '../rule.ts';
import { dependenciesIn, isManifest } from '../manifests.ts';

const EXACT = /^\d+\.\d+\.\d+(-[0-9a-z.-]+)?$/i;

export const pinnedDependencies: Rule = {
  name: 'pinned-dependencies',
  why: 'A range lets the registry decide what runs beside the keys. Each version is chosen, written down and locked.',
  check: (files) => files.filter(isManifest).flatMap(checkManifest),
};

function checkManifest(file: RepositoryFile): Fault[] {
  return dependenciesIn(file).flatMap(({ name, version }) =>
    EXACT.test(version) ? [] : [{ path: file.path, line: 1, message: `${name} is not pinned to an exact version: ${version}` }],
  );
}
