import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { codeOf, SafekeepError, type Subject } from '@safekeep/core';
import type { Signature } from '@safekeep/crypto';
import { parseKey, type Person } from '../../holds/index.ts';
import type { CertificateBody, ErasureDone, ErasureScope, ExternalCopy, Residue } from '../model.ts';
import { PERSON } from '../rules/graph.ts';
import type { Signed } from '../rules/certificate.ts';
import { treatmentOf } from '../rules/treat.ts';
import { countUnlike } from '../store/act.ts';
import { updateErasure, type ErasureRecord, type ErasureState } from '../store/records.ts';
import { loadRows, rowsOf } from '../store/rows.ts';
import { inTransaction } from '../store/session.ts';
import { followPaths, identityOf, tableOf, type Reach } from '../store/traverse.ts';
import { tellOutside } from './outside.ts';
import { soundGraph, type ErasureGround } from './ground.ts';
import { residueOf } from './residue.ts';
import { freshenStatistics, writtenBy } from './statistics.ts';
import { policies } from './survey.ts';

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
  // Written in the erasing transaction.
  const draft = record.certificate as Draft;
  const person = personOf(record);
  const subject = ground.map.subjects.get(record.type);
  if (subject === undefined)
    throw new SafekeepError('subject-type-unknown', { type: record.type, known: [...ground.map.subjects.keys()].join(', ') });
  const scope = scopeOf(tenant, record, person);
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
  const signed: Signed<CertificateBody> = { document, signature: ground.signer.signDocument('erasure-certificate', document) };
  const path = await writeCertificate(ground.certificateDirectory, signed);
  await inTransaction(database, { tenant }, (client) =>
    updateErasure(client, tenant, record.id, {
      state,
      certificate: signed,
      ...(state === 'done' ? { finishedAt: ground.clock.now() } : {}),
    }),
  );
  return doneText(record, { document, certificate: path, state, found });
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

function doneText(
  { id }: ErasureRecord,
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
    residue: [...document.residue],
    externalCopies: [...document.externalCopies],
  };
}

function stateOf({ holds }: ErasureRecord, found: readonly Residue[], copies: readonly ExternalCopy[]): ErasureState {
  if (found.length > 0) return 'unfulfilled';
  if (holds.length > 0) return 'held';
  return copies.some(({ state }) => state === 'pending') ? 'outside' : 'done';
}

function personOf({ type, key }: ErasureRecord): Person {
  if (key === null) throw new Error('An erasure that goes on knows whom it is about');
  const parts = parseKey(key);
  if ('fault' in parts) throw new Error('A stored key can be read');
  return { type, key: parts };
}

function scopeOf(tenant: string, { id, mode, holds }: ErasureRecord, person: Person): ErasureScope {
  return { tenant, person, erasure: id, mode, holds, rows: new Map(), kept: new Map() };
}

async function recheckParts(client: pg.ClientBase, { ports }: ErasureGround, scope: ErasureScope): Promise<readonly Residue[]> {
  const found: Residue[] = [];
  for (const participant of ports.participants) found.push(...(await participant.recheck(client, scope)));
  return found;
}

/** So many rows of one table are looked at again; more than none is too many already. */
const LOOKED_AT = 100_000;

/**
 * Rows that came by a path that no foreign key guards, after they were counted: their values are not the masks. Where the
 * person's own row is deleted the paths are followed from their key alone.
 */
async function newRows(
  client: pg.ClientBase,
  ground: ErasureGround,
  { person, subject, record }: { readonly person: Person; readonly subject: Subject; readonly record: ErasureRecord },
): Promise<readonly Residue[]> {
  const { map, schema, clock } = ground;
  const graph = soundGraph(ground, subject);
  if (graph.unguarded.size === 0) return [];
  const reach =
    (await followPaths(client, { graph, schema, key: person.key, tenant: ground.tenant }, { lock: false })) ??
    reachOfKey({ graph, schema, person, tenant: ground.tenant });
  const found: Residue[] = [];
  for (const table of graph.unguarded) {
    const rows = await loadRows(client, { map, reach, person, now: clock.now() }, rowsOf(reach, table, person.key), {
      limit: LOOKED_AT,
      lock: false,
    });
    const policy = policies(ground, table);
    const facts = tableOf(schema, table);
    const touched = rows.filter(
      (row) =>
        row.kept === null &&
        ['mask', 'delete'].includes(treatmentOf(policy, { ...row, held: false, shell: true }, record.mode).action),
    );
    if (record.holds.length > 0 && touched.length > 0) continue;
    const writes = policy.whole.choices.flatMap(({ candidates, fixed }) =>
      candidates.filter(({ to }) => to === 'null' || (fixed && to === 'value')).slice(0, 1),
    );
    const target = { table, facts, identity: identityOf(facts), keys: touched.map(({ key }) => key) };
    // Of what was to be deleted an empty row may stay, because rows that stay refer to it. Where no mask is the same each time, the
    // number says it.
    const unlike =
      writes.length === 0
        ? touched.length - maskedIn(record, table)
        : await countUnlike(client, { rows: target, writes, perRow: [] });
    if (unlike > 0)
      found.push({
        place: table,
        what: 'rows of the person that came while they were erased, by a path without a foreign key',
        count: unlike,
        remedy: 'Make a new plan and erase again; a foreign key would have kept them out.',
      });
  }
  return found;
}

/** How many rows of a table the erasure left masked. */
function maskedIn({ certificate }: ErasureRecord, table: string): number {
  // Written in the erasing transaction.
  const { document } = certificate as Draft;
  return document.tables.filter((each) => each.table === table).reduce((sum, { masked }) => sum + masked, 0);
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

async function writeCertificate(directory: string, signed: Signed<CertificateBody>): Promise<string> {
  const path = join(directory, `erasure-${signed.document.id}.json`);
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeFile(`${path}.partial`, `${JSON.stringify(signed, null, 2)}\n`, { mode: 0o600 });
    await rename(`${path}.partial`, path);
  } catch (cause) {
    throw new SafekeepError('file-unwritable', { path, reason: codeOf(cause) ?? 'unknown reason' }, { cause });
  }
  return path;
}
