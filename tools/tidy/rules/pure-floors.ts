import { placeOf } from '../places.ts';
import { isTest, isTypeScript, type Fault, type RepositoryFile, type Rule } from '../rule.ts';
import { lineAt, referencesOf, visit } from '../syntax.ts';

/** The only modules of Node on these floors: they compute and touch nothing. */
const PURE_MODULES: Readonly<Record<string, readonly string[]>> = {
  core: [],
  crypto: ['node:crypto', 'node:buffer', 'node:util', 'node:stream', 'node:zlib'],
  tlog: ['node:crypto'],
};
const IMPURE_GLOBALS = new Set(['process', 'fetch', 'WebSocket']);

export const pureFloors: Rule = {
  name: 'pure-floors',
  why: 'core, crypto and tlog do no I/O: they can be tested without a machine around them and run wherever JavaScript runs.',
  check: (files) => files.filter((file) => isTypeScript(file) && !isTest(file)).flatMap(checkFile),
};

function checkFile(file: RepositoryFile): Fault[] {
  const { packageName } = placeOf(file.path);
  const allowed = packageName === undefined ? undefined : PURE_MODULES[packageName];
  if (allowed === undefined) return [];
  const faults: Fault[] = referencesOf(file)
    .filter(({ specifier }) => specifier.startsWith('node:') && !allowed.includes(specifier))
    .map(({ specifier, line }) => ({ path: file.path, line, message: `${packageName} may not import ${specifier}` }));
  visit(file, {
    MemberExpression: ({ object }) => {
      if (object.type === 'Identifier' && IMPURE_GLOBALS.has(object.name)) {
        faults.push({ path: file.path, line: lineAt(file, object.start), message: `${packageName} may not use ${object.name}` });
      }
    },
    CallExpression: ({ callee }) => {
      if (callee.type === 'Identifier' && IMPURE_GLOBALS.has(callee.name)) {
        faults.push({ path: file.path, line: lineAt(file, callee.start), message: `${packageName} may not use ${callee.name}` });
      }
    },
  });
  return faults;
}
