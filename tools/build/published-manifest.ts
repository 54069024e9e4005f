import { recordOf } from '../tidy/manifests.ts';

type Exports = Record<string, { readonly types: string; readonly default: string }>;

/**
 * The manifest of the workspace names TypeScript, which runs as it is in a checkout; the published one names what was
 * built from it. An export that was not built (`isBuilt` is asked for its JavaScript) was only for our own tests.
 */
export function publishedManifest(manifest: unknown, isBuilt: (file: string) => boolean): Readonly<Record<string, unknown>> {
  const { devDependencies, exports: sources, ...kept } = recordOf(manifest);
  const built = Object.entries(recordOf(sources)).flatMap(([name, source]): [string, Exports[string]][] => {
    const stem = String(source).replace(/\.ts$/, '');
    return isBuilt(`${stem}.js`) ? [[name, { types: `${stem}.d.ts`, default: `${stem}.js` }]] : [];
  });
  return {
    ...kept,
    ...(built.length === 0 ? {} : { exports: Object.fromEntries(built) }),
    engines: { node: '>=22.18' },
  };
}
