import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** The places of one run, all under one folder in the machine's temporary folder. */
export type RunFolder = {
  readonly root: string;
  /** For the shared servers; their own business until they have stopped. */
  readonly servers: string;
  /** Everything that tests and servers logged, kept until the run ends so that it can be searched for personal data. */
  readonly logs: string;
  /** A fresh TMPDIR for one test file. */
  readonly scratch: (index: number) => string;
  readonly remove: () => void;
};

/** Others may pass through but not list: PostgreSQL, which refuses to run as root, reads its files in here as another user. */
const PASS_THROUGH = 0o711;

export function createRunFolder(): RunFolder {
  // Short names: the path of a Unix socket below may not exceed 107 bytes (unix(7)).
  const root = mkdtempSync(path.join(tmpdir(), 'safekeep-test-'));
  chmodSync(root, PASS_THROUGH);
  return {
    root,
    servers: makeFolder(path.join(root, 'servers')),
    logs: makeFolder(path.join(root, 'logs')),
    scratch: (index) => makeFolder(path.join(root, `t${index}`)),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** What a test left in its folder, which is then removed. */
export function emptyScratch(folder: string): string[] {
  const left = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  rmSync(folder, { recursive: true, force: true });
  return left;
}

function makeFolder(folder: string): string {
  mkdirSync(folder);
  chmodSync(folder, PASS_THROUGH); // whatever the umask says
  return folder;
}
