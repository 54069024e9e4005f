import type { CallExpression } from 'oxc-parser';
import { isTypeScript, type Fault, type RepositoryFile, type Rule } from '../rule.ts';
import { lineAt, visit } from '../syntax.ts';

const TEST_FUNCTIONS = new Set(['test', 'it', 'describe', 'suite', 't']);

export const wholeTests: Rule = {
  name: 'whole-tests',
  why: 'A test that is left out says green about something nobody looked at. Skipping needs a reason, which the runner prints.',
  check: (files) => files.filter((file) => isTypeScript(file) && file.path.endsWith('.test.ts')).flatMap(checkFile),
};

function checkFile(file: RepositoryFile): Fault[] {
  const faults: Fault[] = [];
  visit(file, {
    CallExpression: (call) => {
      const message = problemOf(call);
      if (message !== undefined) faults.push({ path: file.path, line: lineAt(file, call.start), message });
    },
  });
  return faults;
}

function problemOf(call: CallExpression): string | undefined {
  const { callee } = call;
  if (callee.type === 'Identifier') return TEST_FUNCTIONS.has(callee.name) ? problemInOptions(call) : undefined;
  if (callee.type !== 'MemberExpression' || callee.object.type !== 'Identifier' || callee.property.type !== 'Identifier')
    return undefined;
  if (!TEST_FUNCTIONS.has(callee.object.name)) return undefined;
  const name = `${callee.object.name}.${callee.property.name}`;
  if (callee.property.name === 'only') return `${name} leaves out all other tests`;
  if (callee.property.name === 'todo') return `${name}: write the test or remove it`;
  if (callee.property.name !== 'skip') return problemInOptions(call);
  const isAtRunTime = callee.object.name === 't';
  return isAtRunTime && call.arguments.length > 0 ? undefined : `${name} gives no reason: { skip: 'why' }, or t.skip('why') inside`;
}

/** `{ only: true }`, `{ todo: … }`, `{ skip: true }`. */
function problemInOptions(call: CallExpression): string | undefined {
  for (const argument of call.arguments) {
    if (argument.type !== 'ObjectExpression') continue;
    for (const property of argument.properties) {
      if (property.type !== 'Property' || property.key.type !== 'Identifier') continue;
      const { key, value } = property;
      if (key.name === 'only' || key.name === 'todo') return `the option ${key.name} leaves tests out`;
      if (key.name === 'skip' && value.type === 'Literal' && value.value === true)
        return "skip: true gives no reason: { skip: 'why' }";
    }
  }
  return undefined;
}
