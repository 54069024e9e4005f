import path from 'node:path';

/** Where a file stands in the house. */
export type Place = {
  /** `core` for packages/core; undefined outside of packages/. */
  readonly packageName: string | undefined;
  /** The folder below packages/capabilities. */
  readonly capability: string | undefined;
  /** The path below the capability, else below the package, else the whole path. */
  readonly within: string;
};

export function placeOf(file: string): Place {
  const [top, packageName, ...rest] = file.split('/');
  if (top !== 'packages' || packageName === undefined || rest.length === 0) {
    return { packageName: undefined, capability: undefined, within: file };
  }
  if (packageName !== 'capabilities' || rest.length === 1) {
    return { packageName, capability: undefined, within: rest.join('/') };
  }
  return { packageName, capability: rest[0], within: rest.slice(1).join('/') };
}

/** The file that a relative specifier names. */
export function resolveRelative(from: string, specifier: string): string {
  return path.posix.join(path.posix.dirname(from), specifier);
}

/** The package of ours that a specifier names, and the rest of the specifier: `@safekeep/postgres/testing`. */
export function ownPackage(specifier: string): { readonly name: string; readonly subpath: string } | undefined {
  const match = /^@safekeep\/([a-z]+)(?:\/(.*))?$/.exec(specifier);
  if (match?.[1] !== undefined) return { name: match[1], subpath: match[2] ?? '' };
  return specifier === 'safekeep' || specifier.startsWith('safekeep/') ? { name: 'cli', subpath: specifier.slice(9) } : undefined;
}
