import type { DataMap, OutsidePlace } from '../model.ts';
import { problemAt, type MapProblem } from '../problems.ts';

/** Why nothing of one person can be removed from a place outside, or not safely; null where it can. */
export function outsideFault({ kind, at }: Pick<OutsidePlace, 'kind' | 'at'>): string | null {
  if (kind === 'files') return filesFault(at);
  if (kind === 'webhook') return addressFault(at);
  if (
    kind === 'command' &&
    at
      .split(/\s+/)
      .find((word) => word !== '')
      ?.includes('{key}') !== false
  )
    return `${at} has no program, or one that the key of the person names`;
  return null;
}

function filesFault(at: string): string | null {
  const isAbsolute = /^(\/|[A-Za-z]:[\\/])/.test(at);
  if (!isAbsolute) return `${at} is not absolute, and depends on where a command is called`;
  return at.includes('{key}') ? null : `${at} is the same for everybody: it has no {key} in it`;
}

/** Stands for a key; no host is called so. */
const KEY = 'SAFEKEEP--KEY';
/** A name that no resolver is asked for, and the two addresses. */
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

function addressFault(at: string): string | null {
  const url = URL.parse(at.replaceAll('{key}', KEY));
  // A key in the name of the host would let whoever chose the key choose who is told.
  if (url === null || (url.origin + url.username + url.password).toUpperCase().includes(KEY) || !/^https?:$/.test(url.protocol))
    return 'its address is none, or the key of the person stands before the path';
  if (url.username !== '' || url.password !== '') return 'a password stands in its address';
  return url.protocol === 'https:' || LOOPBACK.test(url.hostname)
    ? null
    : 'its address is not https, and who it is would pass in the clear';
}

/** Places outside from which nothing of one person can be removed. Needs no database. */
export function outsideProblems(map: DataMap): readonly MapProblem[] {
  return [...map.outside.values()].flatMap((place) => {
    const fault = place.erase ? outsideFault(place) : null;
    return fault === null ? [] : [problemAt('outside-path', { pointer: ['outside', place.name, 'at'] }, fault)];
  });
}
