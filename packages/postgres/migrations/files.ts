import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One step of Safekeep's own schema: two files `NNNN_name.up.sql` and `.down.sql`, never edited once landed. */
export type Migration = {
  /** Four digits: `0001`. */
  readonly version: string;
  readonly name: string;
  readonly up: string;
  readonly down: string;
  /** Of the up file, hex. */
  readonly sha256: string;
};

/** A function or trigger function in a file of its own, created anew whenever the file changes. */
export type FunctionFile = {
  /** As DROP takes it: `function safekeep.set_actor(text, text, text, text)`. */
  readonly object: string;
  /** The migration that it rests on. */
  readonly needs: string;
  readonly text: string;
  readonly sha256: string;
};

const SQL = join(import.meta.dirname, '..', 'sql');
const MIGRATION_FILE = /^(\d{4})_([a-z0-9_]+)\.up\.sql$/;

// What is shipped does not change while a program runs, and each command asks for it several times.
let migrations: readonly Migration[] | undefined;
let functions: readonly FunctionFile[] | undefined;

/** All migrations in order, read once. Throws on a gap or a missing down file: both are bugs of the release. */
export function loadMigrations(): readonly Migration[] {
  migrations ??= readMigrations(join(SQL, 'migrations'));
  return migrations;
}

/** All function files by name, read once. */
export function loadFunctions(): readonly FunctionFile[] {
  functions ??= readFunctions(join(SQL, 'functions'));
  return functions;
}

function readMigrations(directory: string): readonly Migration[] {
  const found = readdirSync(directory)
    .flatMap((file) => {
      const [, version, name] = MIGRATION_FILE.exec(file) ?? [];
      return version === undefined || name === undefined ? [] : [{ version, name, file }];
    })
    .toSorted((a, b) => a.version.localeCompare(b.version))
    .map(({ version, name, file }) => {
      const up = readFileSync(join(directory, file), 'utf8');
      return { version, name, up, down: readFileSync(join(directory, `${version}_${name}.down.sql`), 'utf8'), sha256: sha256(up) };
    });
  found.forEach(({ version }, index) => {
    if (Number(version) !== index + 1) throw new Error(`Migration ${version} stands at place ${index + 1}`);
  });
  return found;
}

function readFunctions(directory: string): readonly FunctionFile[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith('.sql'))
    .toSorted()
    .map((file) => {
      const text = readFileSync(join(directory, file), 'utf8');
      return { object: header(text, 'object', file), needs: header(text, 'needs', file), text, sha256: sha256(text) };
    });
}

function header(text: string, name: string, file: string): string {
  const value = new RegExp(`^-- ${name}: (.+)$`, 'm').exec(text)?.[1];
  if (value === undefined) throw new Error(`${file} has no line "-- ${name}: …"`);
  return value.trim();
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
