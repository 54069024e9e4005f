import { isTest, isTypeScript, type Fault, type RepositoryFile, type Rule } from '../rule.ts';
import { lineAt, syntaxOf, visit } from '../syntax.ts';

export const reasonedAssertions: Rule = {
  name: 'reasoned-assertions',
  why: 'With `as` we tell the type checker to look away. A comment on the line or right above says why that is safe.',
  check: (files) => files.filter((file) => isTypeScript(file) && !isTest(file)).flatMap(checkFile),
};

function checkFile(file: RepositoryFile): Fault[] {
  const commented = new Set(syntaxOf(file).comments.flatMap(({ start, end }) => [lineAt(file, start), lineAt(file, end)]));
  const faults: Fault[] = [];
  const look = (start: number, end: number): void => {
    const [first, last] = [lineAt(file, start), lineAt(file, end)];
    for (let line = first - 1; line <= last; line += 1) if (commented.has(line)) return;
    faults.push({ path: file.path, line: last, message: 'an `as` without its reason beside it' });
  };
  visit(file, {
    TSAsExpression: ({ typeAnnotation, start, end }) => {
      const isConst =
        typeAnnotation.type === 'TSTypeReference' && file.text.slice(typeAnnotation.start, typeAnnotation.end) === 'const';
      if (!isConst) look(start, end);
    },
    TSTypeAssertion: ({ start, end }) => look(start, end),
  });
  return faults;
}
