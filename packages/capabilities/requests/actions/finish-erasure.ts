import { join } from 'node:path';
import type pg from 'pg';
import { isSafekeepError, SafekeepError, type Subject } from '@safekeep/core';
import { verify, type Signature } from '@safekeep/crypto';
import { privateFiles } from '@safekeep/files';
import { parseKey, type Person } from '../../holds/index.ts';
import { UNEXPLAINED } from '../model.ts';
import type { Approved, CertificateBody, ErasureDone, ErasureScope, ExternalCopy, Residue } from '../model.ts';
import { approvedAs, proofFault } from '../rules/approval.ts';
import { PERSON } from '../rules/graph.ts';
import { isKeptByRight } from '../rules/plan.ts';
import { waitForWriters } from '../store/guards.ts';
import { certificateFaults, type Signed } from '../rules/certificate.ts';
import { endEarlier, updateErasure, type ErasureRecord, type ErasureState } from '../store/records.ts';
import { inTransaction } from '../store/session.ts';
import { followPaths, type Reach } from '../store/traverse.ts';
import { tellOutside } from './outside.ts';
import { openTables, soundGraph, type ErasureGround } from './ground.ts';
import type { Unseen } from './kept-ways.ts';
import { refuseForeign, tagOf } from './record-tag.ts';
import { lateRows } from './late-rows.ts';
import { residueOf } from './residue.ts';
import { freshenStatistics, writtenBy } from './statistics.ts';

const { makeFolder, replaceFile } = privateFiles();

export type FinishOptions = { readonly vacuum?: boolean };

type Draft = { readonly document: CertificateBody; readonly signature?: Signature };

/**
 * What follows the commit: the parts clear up, paths without a foreign key are counted again, statistics made anew, places outside told, the
 * certificate signed and written. Can be repeated until it has come to its end; a crash anywhere loses nothing.
 */
export async function finishErasure(
  ground: ErasureGround,
  record: ErasureRecord,
  options: FinishOptions = {},
): Promise<ErasureDone> {
  const { tenant, database } = ground;
  refuseForeign(ground, record);
  // Written in the erasing transaction.
  const draft = record.certificate as Draft;
  const person = personOf(record);
  const subject = ground.map.subjects.get(record.type);
  if (subject === undefined)
    throw new SafekeepError('subject-type-unknown', { type: record.type, known: [...ground.map.subjects.keys()].join(', ') });
  const scope = { ...scopeOf(tenant, record, person), isKept: isKeptByRight(draft.document) };
  const { participants } = ground.ports;
  const others = participants.flatMap(({ tables = [] }) => tables);
  const written = writtenBy(ground, { counts: draft.document.tables, others });
  for (const participant of participants) await database.withClient(async (client) => await participant.after(client, scope));
  const found = await inTransaction(database, { tenant }, async (client) => [
    ...(await newRows(client, ground, { person, subject, record })),
    ...(await recheckParts(client, ground, scope)),
  ]);
  const refused = await freshenStatistics(ground, written, options);
  const externalCopies = await tellOutside(ground, { record, person, copies: draft.document.externalCopies });
  const { vacuum = false } = options;
  const left = await residueOf(ground, { written, refused, vacuum, document: draft.document });
  const state = stateOf(record, found, externalCopies);
  const document: CertificateBody = {
    ...draft.document,
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
      tag: tagOf(ground, { ...record, certificate: signed }),
      ...(state === 'done' || state === 'kept' ? { finishedAt: at } : {}),
    });
    // Not before: of one that is unfulfilled the earlier ones must not be forgotten.
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

/** No certificate is given for what is not so. */
async function endUnfulfilled(
  ground: ErasureGround,
  record: ErasureRecord,
  { document, found }: { readonly document: CertificateBody; readonly found: readonly Residue[] },
): Promise<ErasureDone> {
  await inTransaction(ground.database, { tenant: ground.tenant }, (client) =>
    updateErasure(client, ground.tenant, record.id, { state: 'unfulfilled', finishedAt: ground.clock.now() }),
  );
  return doneText(record, { document, certificate: null, state: 'unfulfilled', found });
}

/** What became of an erasure that somebody else has carried out, or an earlier call. */
export function answerOf({ certificateDirectory }: ErasureGround, record: ErasureRecord): ErasureDone {
  // Written in the erasing transaction.
  const { document, signature } = record.certificate as Draft;
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

/** More than none is too many already. */
const LATE_AT_MOST = 1000;

/**
 * Rows that came by a path that no foreign key guards, after they were counted: they do not look erased. Where the person's own row
 * is deleted the paths are followed from their key alone.
 */
async function newRows(
  client: pg.ClientBase,
  ground: ErasureGround,
  { person, subject, record }: { readonly person: Person; readonly subject: Subject; readonly record: ErasureRecord },
): Promise<readonly Residue[]> {
  const { schema } = ground;
  const graph = soundGraph(ground, subject);
  const tables = [...(await openTables(client, graph))];
  if (tables.length === 0) return [];
  await waitForWriters(client, tables);
  const reach =
    (await followPaths(client, { graph, schema, key: person.key, tenant: ground.tenant }, { lock: false })) ??
    reachOfKey({ graph, schema, person, tenant: ground.tenant });
  // What a hold has kept may be anywhere, and the erasure comes again when it ends.
  const state = record.holds.length > 0 ? 'kept' : 'ask';
  const unseen: Unseen = new Map([...graph.edgesOf.keys()].map((table) => [table, state]));
  const found: Residue[] = [];
  for (const table of tables) {
    const late = await lateRows(
      client,
      ground,
      { person, subject, reach },
      { mode: record.mode, table, lock: false, atMost: LATE_AT_MOST, unseen },
    );
    if (late.length > 0)
      found.push({
        place: table,
        what: 'rows of the person that came while they were erased, by a path that no foreign key guards',
        count: late.length,
        remedy: 'Make a new plan and erase again; a foreign key that is checked at once would have kept them out.',
      });
  }
  return found;
}

function reachOfKey({
  graph,
  schema,
  person,
  tenant,
}: Pick<Reach, 'graph' | 'schema' | 'tenant'> & { readonly person: Person }): Reach {
  const wanted = graph.wanted.get(PERSON) ?? [];
  const values = wanted.map((column) => person.key[graph.subject.key.indexOf(column)]);
  const isKnown = values.every((value) => value !== undefined);
  // What is not known stands for no row.
  return { graph, schema, tenant, values: new Map([[PERSON, isKnown ? [values.map(String)] : []]]) };
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
