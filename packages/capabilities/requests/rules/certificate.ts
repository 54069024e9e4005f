import type { Signature } from '@safekeep/crypto';
import { verify } from '@safekeep/crypto';
import { isMapping, isSafekeepError } from '@safekeep/core';
import type { Approved, CertificateBody } from '../model.ts';
import type { OwnWrites } from './own-writes.ts';
import type { Allowed } from './treat.ts';
import { proofFault } from './approval.ts';

/** A document and the signature beside it, as it stands in the file. */
export type Signed<Body> = { readonly document: Body; readonly signature: Signature };

/** Marks of what rows were the person's by, by the step of a path that leads from them: `tiesOf`. */
export type Ties = Readonly<Record<string, readonly string[]>>;

/** As it stands in the record of an erasure. Until it is signed with what it takes to see what was written beside the erasure. */
export type Draft = {
  readonly document: CertificateBody;
  readonly signature?: Signature;
  readonly own?: OwnWrites;
  /** What fired at the tables of the map when it was approved: {@link CertificateBody} says nothing of it. */
  readonly writers?: string | null;
  readonly ties?: Ties;
  /** What may become of rows of each table: of what came beside the erasure nothing else does. */
  readonly allowed?: Allowed;
};

/** Of a record that has one: only one that a hold put off has none. */
export function draftOf({ certificate }: { readonly certificate: unknown }): Draft {
  // Written in the erasing transaction.
  return certificate as Draft;
}

const SIGNED_KINDS = { erasure: 'erasure-certificate', export: 'export-manifest' } as const;

export type Checked = {
  readonly ok: boolean;
  readonly kind: string;
  readonly issuedAt: string | null;
  readonly faults: string[];
  /** What a genuine one says of itself: which it is, and of whom; an erasure names nobody but by a mark. Null where nothing is proven. */
  readonly about: { readonly id: string; readonly subject: string } | null;
};

/**
 * Holds a signed document against a key that came by another way. Nothing in the document itself is trusted before. With keys of `approvers`
 * also that two of them have planned and approved an erasure.
 */
export function checkSigned(parsed: unknown, trustedKey: string, approvers: readonly string[] | null = null): Checked {
  const found = signedOf(parsed);
  if (found === undefined)
    return { ok: false, kind: 'unknown', issuedAt: null, faults: ['it is no signed document of Safekeep'], about: null };
  const { document, signature, kind } = found;
  const issuedAt = 'issuedAt' in document && typeof document.issuedAt === 'string' ? document.issuedAt : null;
  try {
    verify(SIGNED_KINDS[kind], document, signature, trustedKey);
  } catch (error) {
    if (!isSafekeepError(error, 'signature-invalid')) throw error;
    return { ok: false, kind, issuedAt, faults: [error.message], about: null };
  }
  const faults = kind === 'erasure' ? [...certificateFaults(document), ...approvalFaults(document, approvers)] : [];
  return { ok: faults.length === 0, kind, issuedAt, faults, about: aboutOf(document) };
}

function aboutOf(document: object): Checked['about'] {
  // Its signature is good; what is read is checked for all that.
  const { id, subject } = document as Partial<Pick<CertificateBody, 'id' | 'subject'>>;
  if (typeof id !== 'string') return null;
  if (typeof subject === 'string') return { id, subject };
  return isMapping(subject) ? { id, subject: `${subject.type} with mark ${subject.mark}` } : null;
}

function signedOf(
  parsed: unknown,
): { readonly document: object; readonly signature: Signature; readonly kind: keyof typeof SIGNED_KINDS } | undefined {
  if (!isMapping(parsed)) return undefined;
  const { document, signature, ...others } = parsed;
  // What stands beside them is signed by nobody, and would be read as if it were.
  if (!isMapping(document) || !isMapping(signature) || Object.keys(others).length > 0) return undefined;
  const { kind } = document;
  if (kind !== 'erasure' && kind !== 'export') return undefined;
  const { keyName, keyId, algorithm, signature: text } = signature;
  if (typeof keyName !== 'string' || typeof keyId !== 'string' || algorithm !== 'Ed25519' || typeof text !== 'string')
    return undefined;
  return { document, signature: { keyName, keyId, algorithm, signature: text }, kind };
}

/** What a certificate says must agree with itself, whoever signed it. */
export function certificateFaults(document: object): string[] {
  // Its signature is good, so it was made by this code; what is read is checked for all that.
  const { format, tables } = document as Partial<CertificateBody>;
  const faults: string[] = [];
  if (format !== 'safekeep-certificate/1') faults.push('its format is not safekeep-certificate/1');
  for (const { table, before, deleted, masked, detached, kept } of Array.isArray(tables) ? tables : []) {
    if (before !== deleted + masked + detached + kept) faults.push(`the counts of ${table} do not add up`);
  }
  return faults;
}

/** The signatures of planner and approver, here and of what went before. By a document that carries none nobody is proven. */
function approvalFaults(document: object, approvers: readonly string[] | null): string[] {
  // As above.
  const body = document as Partial<CertificateBody>;
  const { tenant = '', plan = '', plannedBy = '', approvedBy = '', proofs, approvedBefore = [] } = body;
  if (approvers !== null && proofs === undefined) return ['it carries no signatures of approvers'];
  const all: readonly Approved[] = [
    { plan, plannedBy, approvedBy, ...(proofs === undefined ? {} : { proofs }) },
    ...approvedBefore,
  ];
  return all.flatMap((each) => [...nameFaults(each), ...(approvers === null ? [] : proofFaults(each, { tenant, approvers }))]);
}

function nameFaults({ plannedBy, approvedBy, proofs }: Approved): string[] {
  if (proofs === undefined) return [];
  const { planned, approved } = proofs;
  const isTheirs = planned.signature.keyName === plannedBy && approved.signature.keyName === approvedBy;
  return isTheirs ? [] : ['the names of planner and approver are not those of the keys that signed'];
}

function proofFaults(
  { plan, proofs }: Approved,
  trusted: { readonly tenant: string; readonly approvers: readonly string[] },
): string[] {
  const fault = proofs === undefined ? undefined : proofFault({ plan, proofs }, trusted);
  return fault === undefined ? [] : [fault];
}
