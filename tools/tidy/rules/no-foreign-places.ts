import type { Rule } from '../rule.ts';

const PLACES: readonly { readonly form: RegExp; readonly what: string }[] = [
  { form: /(?<![\w.$}\])/*-])\/(?:tmp|work|root|home\/[a-z]+)(?![\w-])/, what: 'a path of one machine' },
  { form: /registry\.(?:npmjs\.org|yarnpkg\.com)|npm\.pkg\.github\.com/, what: 'the host of a package registry' },
];
/** The lock file has a rule of its own; the test of the rules plants such places. */
const EXEMPT = new Set(['package-lock.json', 'tools/tidy/rules.test.ts']);

export const noForeignPlaces: Rule = {
  name: 'no-foreign-places',
  why: 'What names a folder or a host of the machine it was written on works only there.',
  check: (files) =>
    files
      .filter(({ path }) => !EXEMPT.has(path))
      .flatMap(({ path, text }) =>
        text.split('\n').flatMap((line, index) =>
          PLACES.filter(({ form }) => form.test(line)).map(({ what }) => ({
            path,
            line: index + 1,
            message: `names ${what}: ${line.trim().slice(0, 80)}`,
          })),
        ),
      ),
};
