import type { GdprClass, HipaaIdentifier, PciClass } from '@safekeep/core';

/** What sort of evidence finds a kind. */
export type KindFamily =
  | 'contact'
  | 'network'
  | 'financial'
  | 'national'
  | 'document'
  | 'health'
  | 'secret'
  | 'time'
  | 'entity'
  | 'words';

/**
 * One kind of personal (or secret) data. The same line serves the scan of columns, the search in text and the page of the docs.
 */
export type Kind = {
  /** As other tools call it, where they do: EMAIL_ADDRESS, US_SSN. */
  readonly name: string;
  readonly title: string;
  readonly family: KindFamily;
  /** ISO 3166-1 alpha-2, where a kind belongs to one country. */
  readonly country?: string;
  /** The key of the data map that a column of this kind gets. */
  readonly category: string;
  readonly hipaa: HipaaIdentifier | null;
  readonly pci: PciClass | null;
  readonly gdpr: GdprClass | null;
  /** The law, standard or page that says what such a value looks like. */
  readonly source: string;
  readonly examples: readonly string[];
  readonly counterExamples: readonly string[];
  /** The whole value, anchored at both ends; every repetition is bounded, so it is linear. Null: only context tells. */
  readonly pattern: RegExp | null;
  /** Names of the checks that `validate` makes beyond the pattern. */
  readonly validators: readonly string[];
  /**
   * How sure a value alone makes one, 0 to 1; 0: it is none. A check digit moves it by what chance would let pass.
   * Asked only for what fits the pattern.
   */
  readonly validate: (value: string) => number;
  /** How likely, at most, a value with random digits and letters at the places of the first example's is taken for one. Measured by the test. */
  readonly chance: number;
  /** Words beside the value that speak for it, as one pattern without flags; lower case, folded. */
  readonly cues: string | null;
  /** In text a value without a cue is no finding. */
  readonly needsCue: boolean;
};

/** What a table writes down; the classes come from the category unless said otherwise. */
export type KindFacts = Omit<Kind, 'hipaa' | 'pci' | 'gdpr' | 'validate' | 'validators' | 'cues' | 'needsCue' | 'chance'> & {
  readonly hipaa?: HipaaIdentifier | null;
  readonly pci?: PciClass | null;
  readonly gdpr?: GdprClass | null;
  readonly validate?: (value: string) => number;
  readonly validators?: readonly string[];
  readonly cues?: string;
  readonly needsCue?: boolean;
  readonly chance?: number;
};
