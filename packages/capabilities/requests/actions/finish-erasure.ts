import { join } from 'node:path';
import type pg from 'pg';
import { isSafekeepError, SafekeepError } from '@safekeep/core';
import { verify, type Signature } from '@safekeep/crypto';
import { privateFiles } from '@safekeep/files';
import { parseKey, type Person } from '../../holds/index.ts';
import { UNEXPLAINED } from '../model.ts';
import type { Approved, CertificateBody, ErasureDone, ErasureScope, ExternalCopy, Residue } from '../model.ts';
import { approvedAs, proofFault } from '../rules/approval.ts';
import { certificateFaults, draftOf, type Draft, type Signed } from '../rules/certificate.ts';
import { isKeptByRight } from '../rules/plan.ts';
import { endEarlier, readErasures, updateErasure, type ErasureRecord, type ErasureState } from '../store/records.ts';
import { inTransaction } from '../store/session.ts';
import type { ErasureGround } from './ground.ts';
import { tellOutside } from './outside.ts';
import { isOurs as isRecordOurs, refuseForeign, tagOf } from './record-tag.ts';
import { residueOf } from './residue.ts';
import { settle, type JustErased, type Settled } from './settle.ts';
import { freshenStatistics, writtenBy } from './statistics.ts';
import { withoutTies } from './ties.ts';

const { makeFolder, replaceFile } = privateFiles();

export type FinishOptions = { readonly vacuum?: boolean; readonly justErased?: JustErased };

/**
 * What follows the commit: what others wrote meanwhile is looked for, the parts clear up, statistics are made anew, places outside told, the
 * certificate is signed and written. Can be repeated until it has come to its end; a crash anywhere loses nothing.
 */
export async function finishErasure(
  ground: ErasureGround,
  committed: ErasureRecord,
  options: FinishOptions = {},
): Promise<ErasureDone> {
  const { tenant, database } = ground;
  refuseForeign(ground, committed);
  const person = personOf(committed);
  const subject = ground.map.subjects.get(committed.type);
  if (subject === undefined)
    throw new SafekeepError('subject-type-unknown', { type: committed.type, known: [...ground.map.subjects.keys()].join(', ') });
  const order = { person, subject, mode: committed.mode };
  // What is signed was settled then; whoever has written since came back by themselves.
  const isSigned = draftOf(committed).signature !== undefined;
  const { record, found: late }: Settled = isSigned
    ? { record: committed, found: [] }
    : await settle(ground, order, { record: committed, justErased: options.justErased });
  const draft = draftOf(record);
  const scope = { ...scopeOf(tenant, record, person), isKept: isKeptByRight(draft.document) };
  const { participants } = ground.ports;
  const others = participants.flatMap(({ tables = [] }) => tables);
  const written = writtenBy(ground, { counts: draft.document.tables, others });
  for (const participant of participants) await database.withClient(async (client) => await participant.after(client, scope));
  const parts = await inTransaction(database, { tenant }, (client) => recheckParts(client, ground, scope));
  const found = [...late, ...parts];
  const refused = await freshenStatistics(ground, written, options);
  const externalCopies = await tellOutside(ground, { record, person, copies: draft.document.externalCopies });
  const { vacuum = false } = options;
  const left = await residueOf(ground, { written, refused, vacuum, document: draft.document });
  const state = stateOf(record, found, externalCopies);
  const document: CertificateBody = {
    ...draft.document,
    holds: record.holds,
    issuedAt: ground.clock.now().toISOString(),
    externalCopies,
    residue: [...found, ...left],
    supersedes: draft.signature === undefined ? null : draft.document.issuedAt,
  };
  if (state === 'unfulfilled') return await endUnfulfilled(ground, record, { document, found });
  refuseForged(ground, record, draft);
  const [fault] = certificateFaults(document);
  if (fault !== undefined) throw new SafekeepError('certificate-unsigned', { erasure: record.id, reason: fault });
  const signed: Signed<CertificateBody> = { document, signature: ground.signer.signDocument('erasure-certificate', document) };
  const path = await writeCertificate(ground.certificateDirectory, signed);
  const at = ground.clock.now();
  await inTransaction(database, { tenant }, async (client) => {
    await updateErasure(client, tenant, record.id, {
      state,
      certificate: signed,
      holds: record.holds,
      due: record.due,
      isUndated: record.isUndated,
      tag: tagOf(ground, { ...record, certificate: signed }),
      ...(state === 'done' || state === 'kept' ? { finishedAt: at } : {}),
    });
    // Not before: of one that is unfulfilled the earlier ones must not be forgotten.
    for (const each of await readErasures(client, tenant, { mark: record.mark, open: true }))
      if (each.state === 'unfulfilled' && each.id < record.id && isRecordOurs(ground, each))
        await updateErasure(client, tenant, each.id, { state: each.state, ...withoutTies(ground, each) });
    await endEarlier(client, tenant, { id: record.id, mark: record.mark, at });
  });
  return doneText(record, { document, certificate: path, state, found });
}

/**
 * Signatures of approvers lay in the database since, where others may write. What this home has signed once it need not look at again, and so
 * an approver who is one no more is in nobody's way.
 *
 * @throws `certificate-unsigned`
 */
function refuseForged(ground: ErasureGround, { id }: ErasureRecord, { document, signature }: Draft): void {
  if (signature !== undefined && isOurs(ground, document, signature)) return;
  const { plan, plannedBy, approvedBy, proofs, approvedBefore = [] } = document;
  const reason = faultOfProofs(ground, [approvedAs({ plan, plannedBy, approvedBy }, proofs), ...approvedBefore]);
  const isNamed =
    proofs === undefined || (proofs.planned.signature.keyName === plannedBy && proofs.approved.signature.keyName === approvedBy);
  const fault = reason ?? (isNamed ? undefined : 'the names of planner and approver are not those of the keys that signed');
  if (fault !== undefined) throw new SafekeepError('certificate-unsigned', { erasure: id, reason: fault });
}

function isOurs({ signer }: ErasureGround, document: CertificateBody, signature: Signature): boolean {
  try {
    verify('erasure-certificate', document, signature, signer.verifierKey);
    return true;
  } catch (error) {
    if (isSafekeepError(error, 'signature-invalid')) return false;
    throw error;
  }
}

/** What is wrong with signatures that came back from the database; undefined where nothing is, or there are none. */
export function faultOfProofs({ tenant, approvers }: ErasureGround, approvals: readonly Approved[]): string | undefined {
  for (const { plan, proofs } of approvals) {
    if (proofs === undefined) continue;
    if (approvers === undefined || approvers === null)
      return 'planner and approver have signed, and without SAFEKEEP_ERASURE_APPROVERS nobody can tell whether it was they';
    const fault = proofFault({ plan, proofs }, { tenant, approvers });
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** No certificate is given for what is not so. It is open, with what keeps late rows, until a later erasure of the person has its certificate. */
async function endUnfulfilled(
  ground: ErasureGround,
  record: ErasureRecord,
  { document, found }: { readonly document: CertificateBody; readonly found: readonly Residue[] },
): Promise<ErasureDone> {
  const { id, holds, due, isUndated } = record;
  const change = { state: 'unfulfilled', holds, due, isUndated, finishedAt: ground.clock.now() } as const;
  await inTransaction(ground.database, { tenant: ground.tenant }, (client) => updateErasure(client, ground.tenant, id, change));
  return doneText(record, { document, certificate: null, state: 'unfulfilled', found });
}

/** What became of an erasure that somebody else has carried out, or an earlier call. */
export function answerOf({ certificateDirectory }: ErasureGround, record: ErasureRecord): ErasureDone {
  const { document, signature } = draftOf(record);
  const path = signature === undefined ? null : certificatePath(certificateDirectory, document);
  return {
    ...doneText(record, { document, certificate: path, state: record.state, found: [] }),
    verified: signature !== undefined,
  };
}

function doneText(
  { id, due }: ErasureRecord,
  {
    document,
    certificate,
    state,
    found,
  }: {
    readonly document: CertificateBody;
    readonly certificate: string | null;
    readonly state: ErasureState;
    readonly found: readonly Residue[];
  },
): ErasureDone {
  const sum = (name: 'deleted' | 'masked' | 'detached' | 'kept'): number =>
    document.tables.reduce((total, table) => total + table[name], 0);
  return {
    certificate,
    erasure: id,
    counts: { deleted: sum('deleted'), masked: sum('masked'), detached: sum('detached'), kept: sum('kept') },
    verified: found.length === 0,
    state,
    due: due?.toISOString() ?? null,
    unexplained: document.participants.reduce((total, { counts }) => total + (counts[UNEXPLAINED] ?? 0), 0),
    residue: [...document.residue],
    externalCopies: [...document.externalCopies],
  };
}

function stateOf(
  { holds, due, isUndated }: ErasureRecord,
  found: readonly Residue[],
  copies: readonly ExternalCopy[],
): ErasureState {
  if (found.length > 0) return 'unfulfilled';
  if (holds.length > 0) return 'held';
  if (copies.some(({ state }) => state === 'pending')) return 'outside';
  return due === null && !isUndated ? 'done' : 'kept';
}

function personOf({ type, key }: ErasureRecord): Person {
  if (key === null) throw new Error('An erasure that goes on knows whom it is about');
  const parts = parseKey(key);
  if ('fault' in parts) throw new Error('A stored key can be read');
  return { type, key: parts };
}

function scopeOf(tenant: string, { id, mode, holds }: ErasureRecord, person: Person): Omit<ErasureScope, 'isKept'> {
  return { tenant, person, erasure: id, mode, holds, rows: new Map(), kept: new Map() };
}

async function recheckParts(client: pg.ClientBase, { ports }: ErasureGround, scope: ErasureScope): Promise<readonly Residue[]> {
  const found: Residue[] = [];
  for (const participant of ports.participants) found.push(...(await participant.recheck(client, scope)));
  return found;
}

function certificatePath(directory: string, { id }: CertificateBody): string {
  return join(directory, `erasure-${id}.json`);
}

async function writeCertificate(directory: string, signed: Signed<CertificateBody>): Promise<string> {
  const path = certificatePath(directory, signed.document);
  await makeFolder(directory);
  await replaceFile(path, `${JSON.stringify(signed, null, 2)}\n`);
  return path;
}
