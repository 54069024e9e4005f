/** A word of SQL: what it names (folded as PostgreSQL does), or else its text in lower case. */
export type Word = {
  readonly text: string;
  readonly name: string | undefined;
  readonly group: Group;
  /** Where the clause of its group begins that it stands in; undefined before the first. */
  readonly clause: number | undefined;
};

/** What stands between two parentheses, or the whole statement. Places are those of the words, the parentheses left out. */
export type Group = { readonly parent: Group | undefined; readonly from: number; to: number; clause: number | undefined };

/**
 * Comments, strings and dollar quotes name nothing. A string with escapes goes on behind a line's end, and a comment may have others in
 * it. PostgreSQL manual, 4.1.
 */
const TOKENS =
  /--[^\n\r]*|\/\*|\$([A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$[^]*?\$\1\$|[eE]'(?:\\[^]|''|[^'\\]|'\s*[\n\r]\s*')*'|'(?:[^']|'')*'|[uU]&"|"((?:[^"]|"")*)"|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*|[0-9][\w.]*|\$\d+|[^\s]/g;

function* tokensOf(text: string): Generator<RegExpExecArray> {
  const tokens = new RegExp(TOKENS);
  for (let match = tokens.exec(text); match !== null; match = tokens.exec(text)) {
    if (match[0] === '/*') tokens.lastIndex = endOfComment(text, tokens.lastIndex);
    else if (!match[0].startsWith('--')) yield match;
  }
}

function endOfComment(text: string, from: number): number {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = from;
  let depth = 1;
  for (let mark = marks.exec(text); mark !== null; mark = marks.exec(text)) {
    depth += mark[0] === '/*' ? 1 : -1;
    if (depth === 0) return marks.lastIndex;
  }
  return text.length;
}

/** The words of each statement of a text. A parenthesis belongs to the group around it. */
export function statementsOf(text: string): readonly (readonly Word[])[] {
  const statements: Word[][] = [];
  let words: Word[] = [];
  let group: Group = groupWithin(undefined, 0);
  const add = (word: Pick<Word, 'text' | 'name'>): void => {
    words.push({ ...word, group, clause: group.clause });
    if (CLAUSES.has(word.text)) group.clause = words.length - 1;
  };
  const end = (): void => {
    if (words.length > 0) statements.push(words);
    words = [];
    group = groupWithin(undefined, 0);
  };
  for (const [token, , quoted] of tokensOf(text)) {
    if (token === ';' && group.parent === undefined) {
      end();
      continue;
    }
    if (token === ')' && group.parent !== undefined) {
      group.to = words.length;
      group = group.parent;
    }
    if (quoted !== undefined) add({ text: '"', name: quoted.replaceAll('""', '"') });
    else if (/^[A-Za-z_\u0080-\uffff]/.test(token) && !/['"]$/.test(token))
      add({ text: token.toLowerCase(), name: token.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase()) });
    else add({ text: token.toLowerCase(), name: undefined });
    if (token === '(') group = groupWithin(group, words.length);
  }
  end();
  return statements;
}

function groupWithin(parent: Group | undefined, from: number): Group {
  return { parent, from, to: Infinity, clause: undefined };
}

const CLAUSES = new Set([
  'select',
  'returning',
  'set',
  'into',
  'from',
  'join',
  'where',
  'on',
  'using',
  'group',
  'order',
  'having',
  'window',
  'limit',
  'values',
  'update',
  'do',
  'by',
  'partition',
  'filter',
  'within',
  'distinct',
  'union',
  'intersect',
  'except',
]);

/** What may follow a table and is no name for it. */
const AFTER_TABLE = new Set([
  ...CLAUSES,
  'inner',
  'left',
  'right',
  'full',
  'cross',
  'natural',
  'as',
  'for',
  'offset',
  'fetch',
  'default',
  'overriding',
  'tablesample',
  'when',
]);

export function isClause({ text }: Word): boolean {
  return CLAUSES.has(text);
}

/** The clause that a word stands in, with its place, and whether a parenthesis that is no query of its own stands in between. */
export type Clause = { readonly text: string; readonly place: number; readonly isInside: boolean };

export function clauseOf(words: readonly Word[], place: number): Clause | undefined {
  const own = words[place];
  for (let word: Word | undefined = own; word !== undefined; word = word.group.parent && words[word.group.from - 1]) {
    const clause = word.clause === undefined ? undefined : words[word.clause];
    if (clause !== undefined && word.clause !== undefined)
      return { text: clause.text, place: word.clause, isInside: word.group !== own?.group };
  }
  return undefined;
}

const QUERIES = new Set(['select', 'with', 'values', 'table', 'insert', 'update', 'delete', 'merge']);

/** Whether a group is a query; any other parenthesis belongs to the query around it. */
export function isQuery(words: readonly Word[], group: Group): boolean {
  return group.parent === undefined || QUERIES.has(words[group.from]?.text ?? '');
}

/** The query that a word stands in. */
export function queryOf(words: readonly Word[], place: number): Group | undefined {
  let group: Group | undefined = words[place]?.group;
  while (group !== undefined && !isQuery(words, group)) group = group.parent;
  return group;
}

/** The name that follows a table or subquery, and whether names for its columns follow that. */
export function aliasAfter(
  words: readonly Word[],
  place: number,
): { readonly name: string; readonly renames: boolean } | undefined {
  const at = words[place + 1]?.text === 'as' ? place + 2 : place + 1;
  const word = words[at];
  if (word?.name === undefined || (word.text !== '"' && AFTER_TABLE.has(word.text))) return undefined;
  return { name: word.name, renames: words[at + 1]?.text === '(' };
}

/** What has a name in parentheses: a subquery or a join of FROM, or a query of WITH. */
export type Derived = { readonly group: Group; readonly name: string | undefined; readonly renames: boolean };

export function derivedOf(words: readonly Word[]): readonly Derived[] {
  const groups = new Set(words.map(({ group }) => group));
  return [...groups].flatMap((group) => {
    if (group.parent === undefined) return [];
    const common = commonTable(words, group);
    if (common !== undefined) return [{ group, ...common }];
    return isTable(words, group) ? [{ group, name: undefined, renames: false, ...aliasAfter(words, group.to) }] : [];
  });
}

/** Behind the condition of a join a comma goes on with FROM. */
function isTable(words: readonly Word[], group: Group): boolean {
  const clause = clauseOf(words, group.from - 1);
  const before = words[group.from - 2];
  if (clause?.text === 'on') return !clause.isInside && [',', 'lateral'].includes(before?.text ?? '');
  return (clause?.text === 'from' || clause?.text === 'join' || clause?.text === 'using') && !isCalled(before);
}

/** `f(…)`: a parenthesis behind a name that is no word of FROM. */
function isCalled(before: Word | undefined): boolean {
  return before?.name !== undefined && !['from', 'join', 'using', 'lateral', 'only'].includes(before.text);
}

/** `with NAME [(columns)] as [not materialized] (…)`. */
function commonTable(words: readonly Word[], group: Group): { readonly name: string; readonly renames: boolean } | undefined {
  let at = group.from - 2;
  while (['materialized', 'not'].includes(words[at]?.text ?? '')) at -= 1;
  if (words[at]?.text !== 'as') return undefined;
  at -= 1;
  const renames = words[at]?.text === ')';
  if (renames) at = placeOfOpening(words, at) - 1;
  const name = words[at]?.name;
  const isFirst = ['with', 'recursive', ','].includes(words[at - 1]?.text ?? '');
  return name !== undefined && isFirst && clauseOf(words, at)?.text !== 'select' ? { name, renames } : undefined;
}

function placeOfOpening(words: readonly Word[], closing: number): number {
  const inner = words.find(({ group }) => group.to === closing)?.group;
  return inner === undefined ? closing - 1 : inner.from - 1;
}
