import { isTest, isTypeScript, type RepositoryFile } from './rule.ts';
import { lineAt, visit } from './syntax.ts';

export type Length = { readonly lines: number; readonly path: string; readonly line: number; readonly name: string };

/** The longest files and functions: a list of where to look, not a judgement. Tests tell their story at length. */
export function longest(files: readonly RepositoryFile[], count: number): { files: Length[]; functions: Length[] } {
  const source = files.filter((file) => isTypeScript(file) && !isTest(file));
  const byLength = (lengths: Length[]): Length[] =>
    lengths.sort((a, b) => b.lines - a.lines || a.path.localeCompare(b.path)).slice(0, count);
  return {
    files: byLength(source.map(({ path, text }) => ({ lines: text.trimEnd().split('\n').length, path, line: 1, name: '' }))),
    functions: byLength(source.flatMap(functionsOf)),
  };
}

function functionsOf(file: RepositoryFile): Length[] {
  const found: Length[] = [];
  const add = ({ start, end }: { start: number; end: number }, name: string): void => {
    const line = lineAt(file, start);
    found.push({ lines: lineAt(file, end) - line + 1, path: file.path, line, name });
  };
  visit(file, {
    FunctionDeclaration: (node) => add(node, node.id?.name ?? 'default'),
    MethodDefinition: (node) => add(node, file.text.slice(node.key.start, node.key.end)),
    VariableDeclarator: (node) => {
      const isFunction = node.init?.type === 'ArrowFunctionExpression' || node.init?.type === 'FunctionExpression';
      if (isFunction) add(node, file.text.slice(node.id.start, node.id.end).split(':')[0] ?? '');
    },
  });
  return found;
}
