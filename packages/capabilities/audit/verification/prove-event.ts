import { parseId, SafekeepError } from '@safekeep/core';
import type { Database } from '@safekeep/postgres';
import { formatProof, inclusionProof, leafHash, openCheckpoint, peekCheckpoint, TlogError, verifyInclusion } from '@safekeep/tlog';
import type pg from 'pg';
import type { Commitment, EventRow } from '../model.ts';
import { commitmentsOf, leafBytes, leafWith } from '../rules/leaf.ts';
import { readOnly } from '../store/read-only.ts';
import { formatProofExtra, type Opening } from './proof-extra.ts';
import { readEntries } from './store/entries.ts';
import { findIndex, readTrees } from './store/log.ts';
import { proofReader } from './tiles-of-database.ts';

/**
 * A proof of one event by its id, or its index in the newest era, that needs nothing but itself and the verifier key. It opens
 * what is not erased; sealed values stay sealed. Throws `event-unknown`, `event-pruned`, `event-unprovable` and `log-empty`.
 */
export async function proveEvent(
  database: Database,
  { tenant, verifierKey }: { readonly tenant: string; readonly verifierKey: string },
  event: string,
): Promise<string> {
  return await readOnly(database, tenant, async (client) => {
    const trees = await readTrees(client, tenant);
    const newest = trees.at(-1);
    if (newest === undefined) throw new SafekeepError('log-empty', { tenant });
    const id = parseId(event);
    const asIndex = /^(0|[1-9]\d{0,15})$/.test(event) ? { era: newest.era, index: Number(event) } : undefined;
    const place = id === undefined ? asIndex : await findIndex(client, tenant, id);
    const tree = trees.find(({ era }) => era === place?.era);
    if (place === undefined || tree === undefined) throw new SafekeepError('event-unknown', { event });
    const { era, index } = place;
    if (index < tree.minimumIndex) throw new SafekeepError('event-pruned', { event, minimum: tree.minimumIndex });
    const [row] = await readEntries(client, tenant, { era, after: { index: index - 1, sequencedAt: 'infinity' }, limit: 1 });
    const { note } = tree;
    if (row?.index !== index || note === null) throw new SafekeepError('event-unknown', { event });
    const { size } = openOwn(note, verifierKey);
    // Written and not signed yet: there is no proof of it.
    if (index >= size) throw new SafekeepError('event-unknown', { event });
    return await proofOf(client, { tenant, event, row, size, minimumIndex: tree.minimumIndex, note });
  });
}

type Proven = {
  readonly tenant: string;
  readonly event: string;
  readonly row: EventRow;
  readonly size: number;
  readonly minimumIndex: number;
  readonly note: string;
};

/** What was changed by hand makes no entry, or one that does not lead to the signed root: then nobody is handed a proof that fails elsewhere. */
async function proofOf(client: pg.ClientBase, { tenant, event, row, size, minimumIndex, note }: Proven): Promise<string> {
  const { era, index } = row;
  try {
    const reader = await proofReader(client, tenant, { era, index, size });
    const proof = await inclusionProof(reader, { index, size, minimumIndex });
    const commitments = commitmentsOf(row);
    const leaf = leafBytes(leafWith(row, commitments));
    const extra = formatProofExtra(leaf, openingsOf(commitments));
    verifyInclusion({ index, size, leaf: leafHash(leaf), root: peekCheckpoint(note).root }, proof);
    return formatProof({ index, proof, checkpoint: note, extra });
  } catch (error) {
    if (!(error instanceof RangeError || error instanceof TlogError)) throw error;
    throw new SafekeepError('event-unprovable', { event, reason: error.message }, { cause: error });
  }
}

/** A proof on a checkpoint that is not ours would prove nothing to whoever has our key. */
function openOwn(note: string, verifierKey: string) {
  try {
    return openCheckpoint(note, { trusted: [verifierKey] });
  } catch (error) {
    if (error instanceof TlogError)
      throw new SafekeepError('signature-invalid', { reason: error.message.replace(/\.$/, '') }, { cause: error });
    throw error;
  }
}

/** Of what is not erased. */
function openingsOf(commitments: readonly Commitment[]): Opening[] {
  return commitments.flatMap(({ salt, bytes }, commitment) =>
    salt === undefined || bytes === undefined ? [] : [{ commitment, salt, blob: bytes }],
  );
}
