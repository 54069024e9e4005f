import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export type Fixture = Disposable & {
  readonly root: string;
  /** Adds files: path below the root and content. */
  readonly write: (files: Readonly<Record<string, string>>) => void;
};

/** A temporary folder with these files, removed at the end of the scope: `using fixture = createFixture({ 'a.ts': '…' })`. */
export function createFixture(files: Readonly<Record<string, string>>): Fixture {
  const root = mkdtempSync(path.join(tmpdir(), 'fixture-'));
  const write = (added: Readonly<Record<string, string>>): void => {
    for (const [name, content] of Object.entries(added)) {
      const file = path.join(root, name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, content);
    }
  };
  write(files);
  return { root, write, [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }) };
}
