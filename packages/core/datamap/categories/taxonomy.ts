import { suggestionFor } from '../../configuration/text.ts';
import type { CategoryFacts, GdprClass, HipaaIdentifier, PciClass } from './facts.ts';
import { fideslang } from './fideslang.ts';
import { ours } from './ours.ts';

/** A key of the taxonomy with everything it has, inherited or its own. */
export type Category = {
  readonly key: string;
  /** Null for a key without a dot. */
  readonly parent: string | null;
  readonly origin: 'fideslang' | 'safekeep';
  /** The key that took its place in a newer fideslang; this one stays good. */
  readonly replacedBy: string | null;
  /** Data of persons, as against data of the system. */
  readonly personal: boolean;
  /** IRI of the DPV class that corresponds, or of the nearest broader one. Null for data of the system. */
  readonly dpv: string | null;
  readonly gdpr: GdprClass | null;
  readonly hipaa: HipaaIdentifier | null;
  readonly pci: PciClass | null;
  /** In our words, where the key does not say it. */
  readonly means: string | null;
};

const DPV = 'https://w3id.org/dpv#';
const DPV_PD = 'https://w3id.org/dpv/pd#';

const byKey: ReadonlyMap<string, Category> = build();

/** Every key, parents before their children. */
export const categories: readonly Category[] = [...byKey.values()];

export function categoryOf(key: string): Category | undefined {
  return byKey.get(key);
}

/** Whether a key is this one or lies below it. On the dot: `user.contact` is not above `user.contact_log`. */
export function isWithin(key: string, above: string): boolean {
  return key === above || key.startsWith(`${above}.`);
}

/** Whether a key of the taxonomy names data of persons. A key that is none is taken for personal: the careful side. */
export function isPersonal(key: string): boolean {
  return categoryOf(key)?.personal ?? true;
}

/** The key that was probably meant: a few letters off, or the same last word elsewhere. */
export function suggestCategory(key: string): string | undefined {
  const close = suggestionFor(key, [...byKey.keys()]);
  const last = key.split('.').at(-1) ?? key;
  return close ?? categories.find((category) => category.key.endsWith(`.${last}`))?.key;
}

function build(): ReadonlyMap<string, Category> {
  const made = new Map<string, Category>();
  const origins = [
    ...fideslang.map((facts) => ({ facts, origin: 'fideslang' as const })),
    ...ours.map((facts) => ({ facts, origin: 'safekeep' as const })),
  ].toSorted((a, b) => (a.facts.key < b.facts.key ? -1 : 1));
  for (const { facts, origin } of origins) made.set(facts.key, inherit(facts, origin, made));
  return made;
}

function inherit(facts: CategoryFacts, origin: Category['origin'], made: ReadonlyMap<string, Category>): Category {
  const dot = facts.key.lastIndexOf('.');
  const parent = dot < 0 ? null : facts.key.slice(0, dot);
  const above = parent === null ? undefined : made.get(parent);
  if (parent !== null && above === undefined) throw new Error(`${facts.key} has no parent in the taxonomy`);
  return {
    key: facts.key,
    parent,
    origin,
    replacedBy: facts.replacedBy ?? null,
    personal: isWithin(facts.key, 'user'),
    dpv: facts.dpv === undefined ? (above?.dpv ?? null) : `${facts.dpv === 'PersonalData' ? DPV : DPV_PD}${facts.dpv}`,
    gdpr: facts.gdpr ?? above?.gdpr ?? null,
    hipaa: facts.hipaa === undefined ? (above?.hipaa ?? null) : facts.hipaa,
    pci: facts.pci ?? above?.pci ?? null,
    means: facts.means ?? null,
  };
}
