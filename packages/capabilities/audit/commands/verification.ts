import { dirname, basename, resolve } from 'node:path';
import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';
import { isSafekeepError, SafekeepError } from '@safekeep/core';
import type { Database } from '@safekeep/postgres';
import { loadMap } from '@safekeep/capabilities/datamap';
import manifest from '../../package.json' with { type: 'json' };
import { command, type Command, type CommandContext, type Frozen, type Ink } from '../../capability.ts';
import { baselineHeads } from '../files/baseline-heads.ts';
import { ownersOfLogs } from '../files/last-checkpoint.ts';
import { withAuditKeys } from '../keys/audit-keys.ts';
import { strangerKey } from '../keys/key-file.ts';
import { NoteText } from '../model.ts';
import { openEvents } from '../store/event-values.ts';
import { readOnly } from '../store/read-only.ts';
import { exportTiles } from '../verification/export-tiles.ts';
import { keptCheckpoints, keptCosignatures, writeLogFile } from '../verification/log-files.ts';
import { LogVerification } from '../verification/model.ts';
import { proveEvent } from '../verification/prove-event.ts';
import { verifyDatabase } from '../verification/verify-database.ts';
import { verifyDirectory, verifyProofFile } from '../verification/verify-files.ts';
import { readTrees } from '../verification/store/log.ts';
import { exportFilters, exportTo } from './questions.ts';
import { verifierKeyOf } from './verifier-key.ts';
import { bringUpToDate, type SequenceFirst } from './up-to-date.ts';

/** The commands that verify; `sequenceFirst` is called before the database is looked at, so that nothing waits unsigned. */
export function verificationCommands(sequenceFirst: SequenceFirst): readonly Command[] {
  return [verifyCommand(sequenceFirst), proofCommand(sequenceFirst), exportCommand(sequenceFirst)];
}

function verifyCommand(sequenceFirst: SequenceFirst): Command {
  return command({
    name: 'audit verify',
    summary: 'check that nothing in the log was changed, lost or moved, and that capture is in place',
    input: Type.Object({
      full: Type.Optional(Type.Boolean({ description: 'also every row of the captured tables against the log' })),
      dir: Type.Optional(Type.String({ minLength: 1, description: 'verify an exported log in this folder, without a database' })),
      proof: Type.Optional(Type.String({ minLength: 1, description: 'verify one event by its proof file, without a database' })),
      vkey: Type.Optional(
        Type.String({
          minLength: 1,
          description: 'the verifier key to trust; for a log that another home signs, --dir and --proof',
        }),
      ),
      minimumIndex: Type.Optional(
        Type.Integer({
          minimum: 0,
          description: 'for --dir and --vkey: events below it were dropped by policy, as you were told by whoever keeps the log',
        }),
      ),
    }),
    output: LogVerification,
    example: 'safekeep audit verify --full',
    notSo: 'anything is not as it was signed; the faults name it',
    run: async (context, input) => {
      const result = await verifyWhat(context, input, sequenceFirst);
      return { result, ok: result.ok };
    },
    render: renderVerification,
  });
}

async function verifyWhat(
  context: CommandContext,
  {
    full = false,
    dir,
    proof,
    vkey: key,
    minimumIndex,
  }: {
    readonly full?: boolean;
    readonly dir?: string;
    readonly proof?: string;
    readonly vkey?: string;
    readonly minimumIndex?: number;
  },
  sequenceFirst: SequenceFirst,
): Promise<LogVerification> {
  if (minimumIndex !== undefined && (proof !== undefined || key === undefined))
    throw new SafekeepError('usage', { problem: '--minimum-index is for --dir, and for a database with --vkey.' });
  if (dir === undefined && proof === undefined) {
    if (key === undefined) return await verifyOwn(context, full, sequenceFirst);
    if (full)
      throw new SafekeepError('usage', {
        problem: '--full needs what only the home that keeps the log has; with --vkey its log, tree and capture are verified.',
      });
    return await verifyOfOthers(context, key, minimumIndex);
  }
  if (dir !== undefined && proof !== undefined) throw new SafekeepError('usage', { problem: 'Give --dir or --proof, not both.' });
  if (key === undefined) {
    throw new SafekeepError('usage', {
      problem: 'Files are verified with --vkey KEY, which you have from somewhere else: `safekeep audit vkey` prints it.',
    });
  }
  if (proof !== undefined) return await verifyProofFile(resolve(proof), key);
  return await withProgress(context, 'events', (progress) =>
    verifyDirectory(resolve(dir ?? ''), key, { progress, ...(minimumIndex === undefined ? {} : { toldMinimum: minimumIndex }) }),
  );
}

async function verifyOwn(context: CommandContext, full: boolean, sequenceFirst: SequenceFirst): Promise<LogVerification> {
  const database = await context.database();
  if (await hasLog(database, context.tenant)) await verifierKeyOf(context);
  await bringUpToDate(context, sequenceFirst);
  const { verifierKey } = await context.signer();
  const outside = await keptCheckpoints(context.home, context.tenant);
  const cosigned = await keptCosignatures(context.home, context.tenant);
  const owners = await ownersOfLogs(context.home);
  const heads = baselineHeads(context.home);
  const wanted = await tablesOfMap(context);
  return await withAuditKeys(context, ({ subjectKeys, pseudonymOf, markOf }) =>
    withBars(context, (bars) =>
      verifyDatabase(database, {
        tenant: context.tenant,
        verifierKey,
        outside,
        cosigned,
        owners,
        heads,
        wanted,
        full,
        pseudonymOf,
        markOf,
        valuesOf: (client, events) => openEvents(client, subjectKeys, events),
        signal: context.signal,
        ...bars,
      }),
    ),
  );
}

/** As an auditor does, whose login may read the log and whose machine has no key of it. Moves and signs nothing. */
async function verifyOfOthers(
  context: CommandContext,
  verifierKey: string,
  toldMinimum: number | undefined,
): Promise<LogVerification> {
  const { tenant, home, signal } = context;
  const database = await context.database({ migrate: false });
  const [outside, cosigned, owners] = [
    await keptCheckpoints(home, tenant),
    await keptCosignatures(home, tenant),
    await ownersOfLogs(home),
  ];
  const wanted = await tablesOfMap(context);
  return await withProgress(context, 'events', (progress) =>
    verifyDatabase(database, {
      tenant,
      verifierKey,
      outside,
      cosigned,
      owners,
      heads: baselineHeads(home),
      wanted,
      signal,
      progress,
      ...strangerKey(),
      full: false,
      valuesOf: async () => new Map(),
      ofOthers: { toldMinimum: toldMinimum ?? 0 },
    }),
  );
}

async function hasLog(database: Database, tenant: string): Promise<boolean> {
  return (await readOnly(database, tenant, (client) => readTrees(client, tenant))).length > 0;
}

/** Those that the map wants in the log; without a map there are none. */
async function tablesOfMap({ mapFile }: CommandContext): Promise<readonly string[]> {
  try {
    return [...(await loadMap(mapFile)).map.tables.values()].filter(({ audit }) => audit.writes).map(({ name }) => name);
  } catch (error) {
    if (isSafekeepError(error, 'map-missing') || isSafekeepError(error, 'map-invalid')) return [];
    throw error;
  }
}

async function withProgress<Result>(
  context: CommandContext,
  unit: string,
  run: (progress: (done: number, total: number) => void) => Promise<Result>,
): Promise<Result> {
  const progress = context.progress('audit', { unit });
  try {
    return await run(progress.update);
  } finally {
    progress.end();
  }
}

/** Events, then with --full the rows of the tables, each with a bar of its own: neither's rate counts the time of the other. */
async function withBars<Result>(
  context: CommandContext,
  run: (bars: { readonly progress: (done: number, total: number) => void; readonly onRow: () => void }) => Promise<Result>,
): Promise<Result> {
  let bar = context.progress('audit', { unit: 'events' });
  let rows = 0;
  const onRow = (): void => {
    if (rows === 0) {
      bar.end();
      bar = context.progress('audit', { unit: 'rows' });
    }
    rows += 1;
    bar.update(rows);
  };
  try {
    return await run({ progress: (done, total) => bar.update(done, total), onRow });
  } finally {
    bar.end();
  }
}

function renderVerification(result: Frozen<LogVerification>, ink: Ink): string {
  const { ok, origin, size, root, checked, faults, faultsFound, notes, minimumIndex, scope, seconds, differences } = result;
  const isEmpty = !ok && faultsFound === 0;
  const head = isEmpty ? ink.warn('nothing to verify') : ok ? ink.good('whole') : ink.bad('NOT whole');
  const first = faults.find(({ index }) => index !== undefined)?.index;
  return [
    `${head}: ${origin === '' ? 'no log' : origin}, ${size} event(s), ${checked} checked in ${seconds.toFixed(1)} s (${scope.join(', ')})`,
    ...(root === '' ? [] : [ink.dim(`root ${root}`)]),
    ...(minimumIndex === 0
      ? []
      : [ink.warn(`Events below index ${minimumIndex} were dropped by policy and are not there any more.`)]),
    ...(first === undefined ? [] : [ink.bad(`The first bad index is ${first}.`)]),
    ...faults.flatMap(({ code, index, detail, remedy }) => [
      `  ${ink.bad(code)}${index === undefined ? '' : ` at ${index}`}: ${detail}`,
      ink.dim(`    ${remedy}`),
    ]),
    ...(faultsFound > faults.length ? [ink.warn(`… and ${faultsFound - faults.length} more.`)] : []),
    ...(differences === undefined
      ? []
      : [
          ink.warn(
            `${differences.count} of rows. To answer for these and no others: safekeep audit acknowledge --reason TEXT --rows ${differences.digest}`,
          ),
        ]),
    ...notes.map((note) => `  ${ink.warn('note')}: ${note}`),
  ].join('\n');
}

function proofCommand(sequenceFirst: SequenceFirst): Command {
  return command({
    name: 'audit proof',
    summary: 'prove that one event is in the signed log, in a file that needs nothing else',
    positionals: [{ key: 'event', label: 'ID', description: 'id or index of the event, as `audit search` shows them' }],
    input: Type.Object({
      event: Type.String({ minLength: 1, maxLength: 100 }),
      out: Type.Optional(Type.String({ minLength: 1, description: 'write it to this file (….tlog-proof)' })),
    }),
    output: NoteText,
    example: 'safekeep audit proof 4711 --out event.tlog-proof',
    run: async (context, { event, out }) => {
      const database = await context.database();
      if (await hasLog(database, context.tenant)) await verifierKeyOf(context);
      await bringUpToDate(context, sequenceFirst);
      const { verifierKey } = await context.signer();
      const text = await proveEvent(database, { tenant: context.tenant, verifierKey }, event);
      if (out === undefined) return { result: { text } };
      const path = resolve(out);
      await writeLogFile(dirname(path), basename(path), text);
      context.say(`Written to ${path}.`);
      return { result: { text }, ...(context.json ? {} : { streamed: true as const }) };
    },
    render: ({ text }) => text,
  });
}

const Export = Type.Object({
  /** What was written: tiles, or the name of the format. */
  kind: Type.String(),
  place: Type.String(),
  /** Events in it. */
  events: Type.Integer(),
  origin: Type.Optional(Type.String()),
  size: Type.Optional(Type.Integer()),
  root: Type.Optional(Type.String()),
  files: Type.Optional(Type.Integer()),
  minimumIndex: Type.Optional(Type.Integer()),
});

function exportCommand(sequenceFirst: SequenceFirst): Command {
  return command({
    name: 'audit export',
    summary: 'write the signed log as files for any verifier, or its events for other programs',
    input: Type.Object({
      tiles: Type.Optional(
        Type.String({ minLength: 1, description: 'folder for checkpoint, tiles and entries (C2SP tlog-tiles)' }),
      ),
      era: Type.Optional(
        Type.Integer({ minimum: 1, description: 'for --tiles: an earlier era of the log; the newest unless given' }),
      ),
      format: Type.Optional(
        Type.Union([Type.Literal('jsonl'), Type.Literal('csv'), Type.Literal('cef'), Type.Literal('ocsf')], {
          description: 'events as lines of this format',
        }),
      ),
      out: Type.Optional(Type.String({ minLength: 1, description: 'file for --format; stdout unless given' })),
      ...exportFilters,
    }),
    output: Export,
    example: 'safekeep audit export --tiles log && safekeep audit export --format csv --out events.csv',
    run: async (context, { tiles, era, format, out, ...filter }) => {
      if ((tiles === undefined) === (format === undefined))
        throw new SafekeepError('usage', { problem: 'Give --tiles DIR or --format FORMAT.' });
      if (era !== undefined && tiles === undefined) throw new SafekeepError('usage', { problem: '--era is for --tiles.' });
      await context.database();
      await bringUpToDate(context, sequenceFirst);
      if (tiles !== undefined)
        return { result: await tilesTo(context, { directory: resolve(tiles), ...(era === undefined ? {} : { era }) }) };
      const path = out === undefined ? undefined : resolve(out);
      const kind = format ?? 'jsonl';
      const events = await exportTo(context, { format: kind, out: path, filter, version: manifest.version });
      if (path === undefined) return { result: { kind, place: '-', events }, streamed: true };
      return { result: { kind, place: path, events } };
    },
    render: ({ kind, place, events, files, minimumIndex }, ink) =>
      `${ink.good('Written')}: ${events} event(s) as ${kind}${files === undefined ? '' : ` in ${files} files`} to ${place}${(minimumIndex ?? 0) === 0 ? '' : ink.warn(`; those below index ${minimumIndex} are not in it: dropped by policy`)}`,
  });
}

type TileOrder = { readonly directory: string; readonly era?: number };

async function tilesTo(context: CommandContext, order: TileOrder): Promise<Static<typeof Export>> {
  const database = await context.database();
  const written = await withProgress(context, 'events', (progress) =>
    exportTiles(database, { ...order, tenant: context.tenant, signal: context.signal, progress }),
  );
  return { kind: 'tiles', place: order.directory, events: written.size - written.minimumIndex, ...written };
}
