import type { RepositoryFile, Rule } from '../rule.ts';

const FILE = /\/migrations\/(?<number>\d{4})_(?<name>[a-z0-9_]+)\.(?<direction>up|down)\.sql$/;

export const migrationNumbers: Rule = {
  name: 'migration-numbers',
  why: 'Two branches that take the same number merge without a conflict, and no server can be migrated any more.',
  check: (files) => {
    const ups = files.filter(({ path }) => FILE.exec(path)?.groups?.['direction'] === 'up');
    return ups
      .toSorted((a, b) => a.path.localeCompare(b.path))
      .flatMap((file, place) => {
        if (numberOf(file) !== place + 1) return [fault(file, `is number ${numberOf(file)} at place ${place + 1}`)];
        const back = file.path.replace(/\.up\.sql$/, '.down.sql');
        return files.some(({ path }) => path === back) ? [] : [fault(file, 'has no way back')];
      });
  },
};

function numberOf({ path }: RepositoryFile): number {
  return Number(FILE.exec(path)?.groups?.['number']);
}

function fault({ path }: RepositoryFile, message: string): { path: string; line: number; message: string } {
  return { path, line: 1, message };
}
