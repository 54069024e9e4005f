import { categoryOf } from '@safekeep/core';
import { contactKinds, timeKinds } from './contact.ts';
import { documentKinds } from './documents.ts';
import { entityKinds } from './entities.ts';
import { financialKinds } from './financial.ts';
import type { Kind, KindFacts } from './model.ts';
import { nationalKinds } from './national.ts';
import { networkKinds } from './network.ts';
import { secretKinds } from './secrets.ts';
import { wordKinds } from './words.ts';

/** Longer values are no value of a kind: nothing below is asked of them. */
const LONGEST_VALUE = 16_384;

/** Every kind, in the order of the docs page. */
export const kinds: readonly Kind[] = [
  ...contactKinds,
  ...timeKinds,
  ...networkKinds,
  ...financialKinds,
  ...nationalKinds,
  ...documentKinds,
  ...secretKinds,
  ...entityKinds,
  ...wordKinds,
].map(complete);

const byName: ReadonlyMap<string, Kind> = new Map(kinds.map((kind) => [kind.name, kind]));

export function kindNamed(name: string): Kind | undefined {
  return byName.get(name);
}

/** How sure a whole value, alone, is of this kind by its shape and its checks: 0 to 1, 0 for none. What stands around it is not asked. */
export function surenessOf(kind: Kind, value: string): number {
  if (value.length === 0 || value.length > LONGEST_VALUE || kind.pattern?.test(value) !== true) return 0;
  return kind.validate(value);
}

function complete({ cues, needsCue, validators, validate, chance, hipaa, pci, gdpr, ...facts }: KindFacts): Kind {
  const category = categoryOf(facts.category);
  if (category === undefined) throw new Error(`${facts.name} has a category that is not in the taxonomy: ${facts.category}`);
  return {
    ...facts,
    hipaa: hipaa === undefined ? category.hipaa : hipaa,
    pci: pci === undefined ? category.pci : pci,
    gdpr: gdpr === undefined ? category.gdpr : gdpr,
    validators: validators ?? [],
    validate: validate ?? (() => 0.5),
    chance: chance ?? 1,
    cues: cues ?? null,
    needsCue: needsCue ?? false,
  };
}
