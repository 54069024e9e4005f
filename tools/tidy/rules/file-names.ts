import type { Rule } from '../rule.ts';

const PART = '[a-z0-9]+(-[a-z0-9]+)*';
const FOLDER = new RegExp(`^(\\.?${PART})$`);
const FILES = [
  new RegExp(`^${PART}(\\.${PART})*$`), // ids.ts, ids.test.ts, flood.long.test.ts, tsconfig.build.json, .ci/run
  /^\.[a-z]+(\.[a-z]+)?$/, // .gitignore, .oxlintrc.json
  /^[A-Z]+(\.md)?$/, // README.md, LICENSE
  /^\d{4}_[a-z0-9_]+\.(up|down)\.sql$/, // migrations carry their number
];
/** Named by an object of the database, which is written with underscores. */
const SQL = /^[a-z][a-z0-9_]*\.sql$/;

export const fileNames: Rule = {
  name: 'file-names',
  why: 'Names in kebab-case read the same on every file system and are found by typing what one remembers.',
  check: (files) =>
    files.flatMap(({ path }) => {
      const parts = path.split('/');
      const name = parts.pop() ?? '';
      const good = parts.every((part) => FOLDER.test(part)) && [...FILES, SQL].some((form) => form.test(name));
      return good ? [] : [{ path, line: 1, message: 'the name is not in kebab-case' }];
    }),
};
