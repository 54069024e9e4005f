import { ownPackage, placeOf, resolveRelative } from '../places.ts';
import { isTest, isTypeScript, type Fault, type RepositoryFile, type Rule } from '../rule.ts';
import { referencesOf } from '../syntax.ts';

/** What each package may stand on. ARCHITECTURE.md draws it. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  crypto: ['core'],
  tlog: [],
  log: ['core'],
  files: ['core'],
  sample: ['core'],
  postgres: ['core', 'crypto', 'tlog', 'log', 'files'],
  capabilities: ['core', 'crypto', 'tlog', 'log', 'files', 'postgres'],
  sdk: ['core', 'crypto'],
  server: ['core', 'crypto', 'tlog', 'log', 'postgres', 'capabilities'],
  portal: ['core', 'crypto', 'tlog', 'log', 'postgres', 'capabilities'],
  cli: ['core', 'crypto', 'tlog', 'log', 'files', 'postgres', 'capabilities', 'server', 'portal', 'sample', 'sdk'],
  console: [],
};

/** Made-up people are test data: any test may use them. */
const FOR_TESTS = ['sample'];

export const packageDirection: Rule = {
  name: 'package-direction',
  why: 'Each floor stands on the ones below it and never the other way round: what is pure stays pure, and a change above breaks nothing below.',
  check: (files) => files.filter(isTypeScript).flatMap(checkFile),
};

function checkFile(file: RepositoryFile): Fault[] {
  const own = placeOf(file.path).packageName;
  if (own === undefined) return [];
  const allowed = MAY_IMPORT[own];
  if (allowed === undefined)
    return [{ path: file.path, line: 1, message: `packages/${own} has no place in the direction of packages` }];
  return referencesOf(file).flatMap(({ specifier, line }) => {
    const other = importedPackage(file.path, specifier);
    if (other === undefined || other === own || allowed.includes(other)) return [];
    if (isTest(file) && FOR_TESTS.includes(other)) return [];
    return [{ path: file.path, line, message: `${own} may not import ${other}` }];
  });
}

function importedPackage(from: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return placeOf(resolveRelative(from, specifier)).packageName;
  return ownPackage(specifier)?.name;
}
