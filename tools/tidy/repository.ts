import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { RepositoryFile } from './rule.ts';

/** Folders that hold nothing of ours: installed, generated, or somebody's data. */
const FOREIGN_FOLDERS = new Set(['.git', 'node_modules', 'dist', 'coverage', '.safekeep']);
/** Files that are text and written by us; anything else is not read. */
const TEXT = /(\.(ts|mjs|json|sql|md|sh|yaml|yml|html|css)|(^|\/)(LICENSE|\.gitignore|\.npmrc|\.ci\/run))$/;

export function readRepository(root: string): RepositoryFile[] {
  return listFiles(root, '')
    .filter((file) => TEXT.test(file))
    .map((file) => ({ path: file, text: readFileSync(path.join(root, file), 'utf8') }));
}

function listFiles(root: string, folder: string): string[] {
  const entries = readdirSync(path.join(root, folder), { withFileTypes: true });
  return entries.flatMap((entry) => {
    const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isFile()) return [name];
    return entry.isDirectory() && !FOREIGN_FOLDERS.has(entry.name) ? listFiles(root, name) : [];
  });
}
