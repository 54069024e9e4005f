import { readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

import { Refusal } from './refusal.mjs';

/**
 * The packages that package-lock.json asks for on this platform and that node_modules does not hold as the lock file
 * wants them. npm writes what it installed into node_modules/.package-lock.json as its last step, so an installation
 * that was cut short has none, and comparing the two files is enough: nothing else is read, and nothing is asked of npm.
 */
export function missingPackages(root) {
  const wanted = readLock(path.join(root, 'package-lock.json'));
  if (wanted === undefined) {
    throw new Refusal(`${path.join(root, 'package-lock.json')} is missing or not JSON. Restore it from the repository.`);
  }
  const present = readLock(path.join(root, 'node_modules', '.package-lock.json')) ?? {};
  return Object.keys(wanted).filter((name) => name !== '' && !isInStep(wanted[name], present[name]) && isForHere(wanted, name));
}

function readLock(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch (error) {
    if (error.code === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw new Refusal(`${file} cannot be read (${error.code}). Check the rights on it.`);
  }
}

function isInStep(wanted, present) {
  return (
    present !== undefined &&
    present.version === wanted.version &&
    present.integrity === wanted.integrity &&
    present.link === wanted.link
  );
}

/** Workspaces themselves are in the lock file under their folder; what is installed are the links to them. */
function isForHere(wanted, name) {
  if (!name.includes('node_modules/')) return false;
  const entry = wanted[name];
  if (entry.optional !== true) return true;
  // An optional package without a platform hangs below one that has; with a libc only npm can tell. A changed version of
  // the family is still noticed: all its members change, and one of them is here.
  if (entry.os === undefined || entry.cpu === undefined || entry.libc !== undefined) return false;
  return allows(entry.os, process.platform) && allows(entry.cpu, process.arch);
}

/** The `os` and `cpu` of package.json: a name or a list of names, `!name` excludes. */
function allows(rule, value) {
  const names = [rule].flat();
  if (names.includes(`!${value}`)) return false;
  return names.includes(value) || names.every((name) => name.startsWith('!'));
}
