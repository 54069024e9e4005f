import { placeOf } from '../places.ts';
import { isTest, isTypeScript, type RepositoryFile, type Rule } from '../rule.ts';
import { lineAt, visit } from '../syntax.ts';

/** The beginnings of statements, each with the word that must follow, so that "Update the row" stays English. */
const STATEMENT =
  /^\s*(select\b[^]*\b(from|as)\b|select\s+[\w.]+\s*\(|insert\s+into\b|update\s+[\w."$]+\s+set\b|delete\s+from\b|merge\s+into\b|truncate\s+table\b|with\s+(recursive\s+)?\w+\s+as\s*\(|(create|alter|drop)\s+(or\s+replace\s+)?(unique\s+)?(table|index|schema|function|procedure|view|materialized|trigger|policy|role|type|domain|extension|sequence|database|publication)\b)/i;

/** Where SQL text is not spoken to our database: read from and written to SQLite files, or translated from one to the other. */
const OTHER_DIALECT = [
  'packages/sample/',
  'packages/capabilities/import/source/',
  'packages/capabilities/import/cut-over/source/',
  'packages/capabilities/import/objects/',
];

export const sqlPlace: Rule = {
  name: 'sql-place',
  why: 'All SQL of a capability can be read in its store, reviewed there, and is nowhere put together from strings.',
  check: (files) => files.filter((file) => isTypeScript(file) && !mayHoldSql(file)).flatMap(checkFile),
};

function mayHoldSql(file: RepositoryFile): boolean {
  const { packageName, within } = placeOf(file.path);
  if (packageName === undefined || packageName === 'postgres' || isTest(file)) return true;
  // A part of a capability that is large enough for a folder may have a store of its own.
  return /^([a-z-]+\/)?store(\/|\.ts$)/.test(within) || OTHER_DIALECT.some((folder) => file.path.startsWith(folder));
}

function checkFile(file: RepositoryFile) {
  const faults: { path: string; line: number; message: string }[] = [];
  const look = (text: string, start: number): void => {
    if (STATEMENT.test(text))
      faults.push({ path: file.path, line: lineAt(file, start), message: `SQL outside of a store: ${text.trim().slice(0, 40)} …` });
  };
  visit(file, {
    Literal: ({ value, start }) => typeof value === 'string' && look(value, start),
    TemplateLiteral: ({ quasis, start }) => look(quasis.map(({ value }) => value.raw).join('x'), start),
    TaggedTemplateExpression: ({ tag, start }) => {
      if (tag.type === 'Identifier' && tag.name === 'sql')
        faults.push({ path: file.path, line: lineAt(file, start), message: 'a sql`…` template outside of a store' });
    },
  });
  return faults;
}
