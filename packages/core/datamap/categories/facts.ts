import type { DpvPersonalData } from './dpv-pd.ts';

/** Of GDPR: a special category (Art. 9), or convictions and offences (Art. 10). */
export type GdprClass = 'art9' | 'art10';

/** The identifiers of 45 CFR 164.514(b)(2)(i), by their letters. */
export type HipaaIdentifier =
  | 'A'
  | 'B'
  | 'C'
  | 'D'
  | 'E'
  | 'F'
  | 'G'
  | 'H'
  | 'I'
  | 'J'
  | 'K'
  | 'L'
  | 'M'
  | 'N'
  | 'O'
  | 'P'
  | 'Q'
  | 'R';

/** Account data of PCI DSS; `sad` is sensitive authentication data, `truncated` what may be shown. */
export type PciClass = 'pan' | 'cardholder-name' | 'expiry' | 'service-code' | 'sad' | 'truncated';

/** A line of the data files: only what differs from the parent. */
export type CategoryFacts = {
  readonly key: string;
  /** The version of fideslang that brought it, where it is not 3.1. */
  readonly since?: '3.2';
  readonly replacedBy?: string;
  /** The DPV class that corresponds, or the nearest broader one. `PersonalData` stands in the main vocabulary. */
  readonly dpv?: DpvPersonalData | 'PersonalData';
  readonly gdpr?: GdprClass;
  readonly hipaa?: HipaaIdentifier | null;
  readonly pci?: PciClass;
  readonly means?: string;
};
