import type { RepositoryFile } from './rule.ts';

export type Dependency = { readonly name: string; readonly version: string; readonly group: string };

const DEPENDENCY_GROUPS = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'];

/** The package.json of the root, of each package and of each example; those of test fixtures lie deeper. */
export function isManifest({ path }: RepositoryFile): boolean {
  return /^((packages|examples)\/[^/]+\/)?package\.json$/.test(path);
}

export function dependenciesIn(manifest: RepositoryFile): Dependency[] {
  return dependenciesOf(JSON.parse(manifest.text));
}

/** Also for the entries of the lock file, which repeat the manifests. */
export function dependenciesOf(content: unknown): Dependency[] {
  const fields = recordOf(content);
  return DEPENDENCY_GROUPS.flatMap((group) =>
    Object.entries(recordOf(fields[group])).map(([name, version]) => ({ name, version: String(version), group })),
  );
}

/** JSON as it comes; anything but an object has no fields. */
export function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}
