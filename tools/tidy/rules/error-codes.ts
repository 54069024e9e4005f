import type { Expression, ObjectExpression, SpreadElement } from 'oxc-parser';
import { isTest, isTypeScript, type Fault, type RepositoryFile, type Rule } from '../rule.ts';
import { lineAt, visit } from '../syntax.ts';

/** The whole, and the part of it that the SDK brings into an application. */
const CATALOGUES = new Set(['packages/core/errors/catalogue.ts', 'packages/core/errors/value-refusals.ts']);

export const errorCodes: Rule = {
  name: 'error-codes',
  why: 'A code that nothing raises is a promise to scripts that nobody keeps; a refusal without a test may refuse nothing, or change something.',
  check: (files) => {
    const catalogues = files.filter(({ path }) => CATALOGUES.has(path));
    if (catalogues.length === 0) return [];
    const sources = files.filter((file) => isTypeScript(file) && !catalogues.includes(file));
    const raised = new Set(sources.filter((file) => !isTest(file)).flatMap(raisedIn));
    const tested = new Set(sources.filter(({ path }) => path.endsWith('.test.ts')).flatMap(namedIn));
    return catalogues.flatMap((catalogue) =>
      codesOf(catalogue).flatMap(({ code, line }): Fault[] => [
        ...(raised.has(code) ? [] : [{ path: catalogue.path, line, message: `nothing raises ${code}` }]),
        ...(tested.has(code) ? [] : [{ path: catalogue.path, line, message: `no test names ${code}` }]),
      ]),
    );
  },
};

/** The keys of the one object in it, without those of the entries. */
function codesOf(file: RepositoryFile): { readonly code: string; readonly line: number }[] {
  const objects: ObjectExpression[] = [];
  visit(file, { ObjectExpression: (object) => void objects.push(object) });
  return (objects[0]?.properties ?? []).flatMap((property) => {
    if (property.type !== 'Property') return [];
    const { key } = property;
    const code = key.type === 'Literal' ? key.value : key.type === 'Identifier' ? key.name : undefined;
    return typeof code === 'string' ? [{ code, line: lineAt(file, key.start) }] : [];
  });
}

/** Written out where the error is made, or chosen from two for it. */
function raisedIn(file: RepositoryFile): string[] {
  const codes: string[] = [];
  const take = (...nodes: readonly (Expression | SpreadElement | undefined)[]): void => {
    for (const node of nodes) if (node?.type === 'Literal' && typeof node.value === 'string') codes.push(node.value);
  };
  visit(file, {
    NewExpression: ({ callee, arguments: [code] }) => {
      if (callee.type === 'Identifier' && callee.name === 'SafekeepError') take(code);
    },
    ConditionalExpression: ({ consequent, alternate }) => take(consequent, alternate),
  });
  return codes;
}

/** Also in a pattern or beside others; a word that is no compound only as a text of its own, since prose is full of words. */
function namedIn({ text }: RepositoryFile): string[] {
  return [...text.matchAll(/(?<![\w-])[a-z]+(?:-[a-z]+)+(?![\w-])|(?<=')[a-z]+(?=')/g)].map(([code]) => code);
}
