import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { publishedManifest } from './published-manifest.ts';

/** What tests need stays out of what a user installs. tsconfig.build.json leaves out the same of TypeScript. */
const ONLY_FOR_TESTS = /(^|\/)(testing|fixtures|training)(\/|$)/;
const NOT_COPIED = /(^|\/)(node_modules|dist)(\/|$)|\.ts$|(^|\/)package\.json$/;

/**
 * Writes every package of `root` below `output` as it is published. Nothing of it needs a Node that strips types, which
 * refuses to do so in node_modules anyway. Returns the names of the folders. Throws when the sources do not compile.
 */
export function buildPackages(root: string, output: string): string[] {
  rmSync(output, { recursive: true, force: true });
  compile(root, output);
  const names = readdirSync(path.join(root, 'packages')).filter((name) =>
    existsSync(path.join(root, 'packages', name, 'package.json')),
  );
  for (const name of names) completePackage(root, { from: path.join(root, 'packages', name), to: path.join(output, name) });
  return names;
}

function compile(root: string, output: string): void {
  const compiler = path.join(root, 'node_modules', '.bin', 'tsc');
  const { status, stdout } = spawnSync(compiler, ['-p', 'tsconfig.build.json', '--outDir', output], {
    cwd: root,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`The sources do not compile:\n${stdout}`);
}

type Copy = { readonly from: string; readonly to: string };

/** Adds what the compiler does not write: SQL, the programs in bin/, documents, the licence, the manifest. */
function completePackage(root: string, { from, to }: Copy): void {
  cpSync(from, to, { recursive: true, filter: (source) => isPublished(path.relative(from, source), source) });
  cpSync(path.join(root, 'LICENSE'), path.join(to, 'LICENSE'));
  const manifest: unknown = JSON.parse(readFileSync(path.join(from, 'package.json'), 'utf8'));
  const isBuilt = (file: string): boolean => file.includes('*') || existsSync(path.join(to, file));
  writeFileSync(path.join(to, 'package.json'), `${JSON.stringify(publishedManifest(manifest, isBuilt), null, 2)}\n`);
}

function isPublished(relative: string, source: string): boolean {
  const file = relative.replaceAll(path.sep, '/');
  if (ONLY_FOR_TESTS.test(file)) return false;
  return statSync(source).isDirectory() ? !/(^|\/)(node_modules|dist)$/.test(file) : !NOT_COPIED.test(file);
}
