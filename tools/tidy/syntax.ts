import { parseSync, Visitor, type Comment, type Program, type VisitorObject } from 'oxc-parser';
import type { RepositoryFile } from './rule.ts';

/** An import or re-export of another module, types included. */
export type Reference = {
  readonly specifier: string;
  readonly line: number;
  /** `export … from`, and whether it names what it passes on. */
  readonly kind: 'import' | 'named-export' | 'star-export';
};

type Syntax = { readonly program: Program; readonly comments: readonly Comment[] };

const parsed = new WeakMap<RepositoryFile, Syntax>();

/** Each file is parsed once, whatever number of rules look at it. A file that does not parse is the type checker's to tell. */
export function syntaxOf(file: RepositoryFile): Syntax {
  const known = parsed.get(file);
  if (known !== undefined) return known;
  const { program, comments } = parseSync(file.path, file.text);
  const syntax = { program, comments };
  parsed.set(file, syntax);
  return syntax;
}

export function visit(file: RepositoryFile, visitor: VisitorObject): void {
  new Visitor(visitor).visit(syntaxOf(file).program);
}

/** Counted from 1. */
export function lineAt({ text }: RepositoryFile, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) line += 1;
  return line;
}

export function referencesOf(file: RepositoryFile): Reference[] {
  const references: Reference[] = [];
  const add = (kind: Reference['kind'], source: { value: unknown; start: number }): void => {
    if (typeof source.value === 'string') references.push({ specifier: source.value, line: lineAt(file, source.start), kind });
  };
  visit(file, {
    ImportDeclaration: ({ source }) => add('import', source),
    ExportAllDeclaration: ({ source }) => add('star-export', source),
    ExportNamedDeclaration: ({ source }) => source !== null && add('named-export', source),
    ImportExpression: ({ source }) => source.type === 'Literal' && add('import', source),
    TSImportType: ({ source }) => add('import', source),
  });
  return references;
}
