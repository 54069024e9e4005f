import type { DataMap } from '../model.ts';
import { problemAt, type MapProblem } from '../problems.ts';

/** Why a path of a place of kind `files` cannot be one person's; null where it can. */
export function filesPathFault(at: string): string | null {
  const isAbsolute = /^(\/|[A-Za-z]:[\\/])/.test(at);
  if (!isAbsolute) return `${at} is not absolute, and depends on where a command is called`;
  return at.includes('{key}') ? null : `${at} is the same for everybody: it has no {key} in it`;
}

/** Places outside from which nothing of one person can be removed. Needs no database. */
export function outsideProblems(map: DataMap): readonly MapProblem[] {
  return [...map.outside.values()].flatMap(({ name, kind, erase, at }) => {
    const fault = kind === 'files' && erase ? filesPathFault(at) : null;
    return fault === null ? [] : [problemAt('outside-path', { pointer: ['outside', name, 'at'] }, fault)];
  });
}
