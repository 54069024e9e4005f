import { isTypeScript, type Rule } from '../rule.ts';
import { referencesOf } from '../syntax.ts';

export const noBarrels: Rule = {
  name: 'no-barrels',
  why: 'A file that passes on other files hides where things are and loads all of them. Only index.ts passes on, and by name.',
  check: (files) =>
    files.filter(isTypeScript).flatMap((file) =>
      referencesOf(file).flatMap(({ kind, specifier, line }) => {
        const fault = (message: string) => [{ path: file.path, line, message }];
        if (kind === 'star-export') return fault(`export * from '${specifier}': list what is public`);
        if (kind === 'named-export' && !/(^|\/)index\.ts$/.test(file.path))
          return fault('only index.ts passes on what another file exports');
        return [];
      }),
    ),
};
