import { isTypeScript, type Fault, type RepositoryFile, type Rule } from '../rule.ts';
import { lineAt, syntaxOf } from '../syntax.ts';

const MARK = /\b(TODO|FIXME|XXX|HACK)\b/;

export const noUnfinished: Rule = {
  name: 'no-unfinished',
  why: 'A mark in a comment is a promise nobody keeps. Finish it, or write an issue that somebody will read.',
  check: (files) => files.flatMap((file) => (isTypeScript(file) || file.path.endsWith('.mjs') ? inComments(file) : inLines(file))),
};

function inComments(file: RepositoryFile): Fault[] {
  return syntaxOf(file).comments.flatMap(({ value, start }) => {
    const mark = MARK.exec(value);
    return mark === null ? [] : [{ path: file.path, line: lineAt(file, start + mark.index), message: `unfinished: ${mark[0]}` }];
  });
}

/** In SQL and shell a comment starts with -- or #; documents may speak of these words. */
function inLines(file: RepositoryFile): Fault[] {
  if (!/\.(sql|sh|ya?ml)$|^\.ci\//.test(file.path)) return [];
  return file.text.split('\n').flatMap((text, index) => {
    const mark = MARK.exec(/(--|#).*$/.exec(text)?.[0] ?? '');
    return mark === null ? [] : [{ path: file.path, line: index + 1, message: `unfinished: ${mark[0]}` }];
  });
}
