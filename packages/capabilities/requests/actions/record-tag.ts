import canonicalize from 'canonicalize';
import { SafekeepError } from '@safekeep/core';
import type { ErasureRecord } from '../store/records.ts';
import { parseKey } from '../../holds/index.ts';
import { personMark } from './decide.ts';
import type { ErasureGround } from './ground.ts';

type Tagging = Pick<ErasureGround, 'ledger' | 'tenant'>;
type Tagged = Pick<
  ErasureRecord,
  'id' | 'planHash' | 'mode' | 'type' | 'mark' | 'plannedBy' | 'approvedBy' | 'progress' | 'certificate'
>;

/**
 * That this home has written what stands in a record: HMAC under the key of the ledger, which never is in the database. What may change
 * without that key is left out: state, holds and days, which lead to nothing that is not planned anew. Whose it is, the mark says.
 */
export function tagOf({ ledger, tenant }: Tagging, record: Tagged): string {
  const { id, planHash, mode, type, mark, plannedBy, approvedBy, progress, certificate } = record;
  const content = { planHash, mode, type, mark, plannedBy, approvedBy, progress, certificate };
  // As it comes back from the database.
  const text = canonicalize(JSON.parse(JSON.stringify(content))) ?? '';
  return ledger.mark({ tenant, table: 'safekeep.erasure_record', subjectKeyId: id, primaryKey: [text] });
}

/** The same record with its tag. */
export function tagged<Content extends Tagged>(ground: Tagging, record: Content): Content & { readonly tag: string } {
  return { ...record, tag: tagOf(ground, record) };
}

/** Whether this home has written a record, and of this person. */
export function isOurs(ground: Tagging, record: ErasureRecord): boolean {
  if (record.tag === null || record.tag !== tagOf(ground, record)) return false;
  if (record.key === null) return true;
  const key = parseKey(record.key);
  return !('fault' in key) && record.mark === personMark(ground.ledger, ground.tenant, { type: record.type, key });
}

/**
 * Who may write to our tables must not have anything signed, told to places outside or erased.
 *
 * @throws `erasure-unproven`
 */
export function refuseForeign(ground: Tagging, record: ErasureRecord): void {
  if (!isOurs(ground, record)) throw new SafekeepError('erasure-unproven', { erasure: record.id });
}
