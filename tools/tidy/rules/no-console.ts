import { isTest, isTypeScript, type RepositoryFile, type Rule } from '../rule.ts';
import { lineAt, visit } from '../syntax.ts';

/** Programs that speak to a person at a terminal. */
const SPEAKERS = ['packages/cli/', 'tools/', 'bench/'];

export const noConsole: Rule = {
  name: 'no-console',
  why: 'stdout belongs to results; what a library prints there breaks `--json`, and what it prints anywhere escapes the rules for logs.',
  check: (files) => files.filter((file) => isTypeScript(file) && !isTest(file) && !speaks(file)).flatMap(checkFile),
};

function speaks({ path }: RepositoryFile): boolean {
  return SPEAKERS.some((folder) => path.startsWith(folder));
}

function checkFile(file: RepositoryFile) {
  const faults: { path: string; line: number; message: string }[] = [];
  visit(file, {
    MemberExpression: ({ object, start }) => {
      if (object.type === 'Identifier' && object.name === 'console') {
        faults.push({ path: file.path, line: lineAt(file, start), message: 'console is for programs at a terminal' });
      }
    },
  });
  return faults;
}
