import type { Trigger } from '@safekeep/postgres';

/** One that `apply` or `encrypt` made: it runs a function of our schema, into which nobody else may put one, and changes no row back. */
export function isOwnTrigger({ function: name }: Pick<Trigger, 'function'>): boolean {
  return name.startsWith('safekeep.');
}
