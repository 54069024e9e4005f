import type { CallExpression, Expression } from 'oxc-parser';
import { isTest, isTypeScript, type Fault, type RepositoryFile, type Rule } from '../rule.ts';
import { lineAt, visit } from '../syntax.ts';

const LEVELS = new Set(['trace', 'debug', 'info', 'warn', 'error', 'fatal']);
const LOGGERS = new Set(['log', 'logger']);
const EVENT = /^[a-z0-9]+(-[a-z0-9]+)*$/;
/**
 * Words in field names that mean content. The types of @safekeep/log refuse text; numbers and dates pass them, and a
 * telephone number or a day of birth is one.
 */
const CONTENT =
  /(mail|phone|address|street|ssn|password|secret|token|plaintext|content|body|sql|param(eter)?s|values?|(full|first|last|given|family)_?name)$|birth/i;

export const logCalls: Rule = {
  name: 'log-calls',
  why: 'Logs outlive the erasure of a person. They hold an event by name with ids, counts, durations and states, never what a row said.',
  check: (files) =>
    files.filter((file) => isTypeScript(file) && file.path.startsWith('packages/') && !isTest(file)).flatMap(checkFile),
};

function checkFile(file: RepositoryFile): Fault[] {
  const faults: Fault[] = [];
  visit(file, {
    CallExpression: (call) => {
      if (!isLogCall(call)) return;
      for (const message of problemsOf(call)) faults.push({ path: file.path, line: lineAt(file, call.start), message });
    },
  });
  return faults;
}

/** `log.info(…)`, `context.log.warn(…)`, `this.logger.error(…)`. */
function isLogCall({ callee }: CallExpression): boolean {
  if (callee.type !== 'MemberExpression' || callee.property.type !== 'Identifier' || !LEVELS.has(callee.property.name))
    return false;
  const { object } = callee;
  if (object.type === 'Identifier') return LOGGERS.has(object.name);
  return object.type === 'MemberExpression' && object.property.type === 'Identifier' && LOGGERS.has(object.property.name);
}

function problemsOf(call: CallExpression): string[] {
  const [event, fields, ...more] = call.arguments;
  const problems: string[] = [];
  if (event?.type !== 'Literal' || typeof event.value !== 'string' || !EVENT.test(event.value)) {
    problems.push("the first argument of a log call is the name of an event, written out: 'backup-finished'");
  }
  if (more.length > 0) problems.push('a log call takes an event and an object of fields, nothing more');
  if (fields === undefined) return problems;
  if (fields.type !== 'ObjectExpression')
    return [...problems, 'the fields of a log call are written out as an object, so that a reader sees what is logged'];
  for (const property of fields.properties) {
    if (property.type === 'SpreadElement')
      problems.push('fields are written out one by one; a spread logs whatever the object holds');
    else if (property.key.type === 'Identifier' && CONTENT.test(property.key.name))
      problems.push(`the field ${property.key.name} sounds like content, not like an id, a count, a duration or a state`);
    else if (isComposed(property.value)) problems.push('a field is one id, count, duration or state, not a text put together');
  }
  return problems;
}

function isComposed(value: Expression): boolean {
  return (
    (value.type === 'TemplateLiteral' && value.expressions.length > 0) ||
    (value.type === 'BinaryExpression' && value.operator === '+')
  );
}
