import { join, resolve } from 'node:path';
import { Type } from '@safekeep/core/schema';
import { command, type Command, type CommandContext } from '../capability.ts';
import type { TakeOut } from '../plan/index.ts';
import { acknowledge } from './actions/acknowledge.ts';
import { askWitness, Witnessed } from './actions/ask-witness.ts';
import { attest } from './actions/attest.ts';
import { keepSequencing } from './actions/keep-sequencing.ts';
import { makeActorKey } from './actions/make-actor-key.ts';
import { openSequencer } from './actions/open-sequencer.ts';
import { keepPartitions } from './actions/partitions.ts';
import { newestCheckpoint } from './actions/newest-checkpoint.ts';
import { sequence } from './actions/sequence.ts';
import { endCaptures } from './actions/end-captures.ts';
import { endAllBaselines } from './actions/take-baselines.ts';
import { logName, ownersOfLogs } from './files/last-checkpoint.ts';
import { questionCommands } from './commands/questions.ts';
import { bringUpToDate } from './commands/up-to-date.ts';
import { openHomeKey } from './keys/key-file.ts';
import { verificationCommands } from './commands/verification.ts';
import { verifierKeyOf } from './commands/verifier-key.ts';
import { Acknowledged, ActorKey, Attestation, MONTHS_AT_MOST, NoteText, Partitions, Sequenced } from './model.ts';
import { exportTiles } from './verification/export-tiles.ts';
import { keptCheckpoints, readNoteFile } from './verification/log-files.ts';
import { readTrees } from './verification/store/log.ts';
import { readOnly } from './store/read-only.ts';

const NONE = Type.Object({});

const sequenceCommand = command({
  name: 'audit sequence',
  summary: 'move what was captured into the signed log; without --once until stopped',
  input: Type.Object({ once: Type.Boolean({ default: false, description: 'end as soon as nothing waits any more' }) }),
  output: Sequenced,
  example: 'safekeep audit sequence --once',
  run: async (context, { once }) => {
    const ground = await openSequencer(context);
    try {
      if (!once) {
        context.say('Sequencing. Ctrl-C ends it; what waits is safe.');
        await keepSequencing(ground, context.signal);
      }
      return { result: await sequence(ground) };
    } finally {
      await ground.keys.close();
    }
  },
  render: ({ state, events, quarantined, erased, logs }, ink) =>
    state === 'busy'
      ? ink.warn('Another sequencer is at work; nothing is left to do here.')
      : [
          `${events} event(s) moved into the log.`,
          ...(quarantined > 0
            ? [ink.warn(`${quarantined} are about people who could not be found; they are sealed under the quarantine key.`)]
            : []),
          ...(erased > 0 ? [`${erased} are about erased people and say only that something happened.`] : []),
          ...logs.map(({ origin, size, root }) => `${ink.strong(origin)}  ${size} events, root ${root}`),
        ].join('\n'),
});

const checkpoint = command({
  name: 'audit checkpoint',
  summary: 'print the newest signed checkpoint of the log',
  input: NONE,
  output: NoteText,
  example: 'safekeep audit checkpoint',
  run: async (context) => ({ result: { text: await newestCheckpoint(await context.database(), context.tenant) } }),
  render: ({ text }) => text.replace(/\n$/, ''),
});

const witness = command({
  name: 'audit witness',
  summary: 'let a witness countersign the newest checkpoint, and keep what it signed',
  positionals: [{ key: 'url', label: 'URL', description: 'https address of the witness, what /add-checkpoint is put behind' }],
  input: Type.Object({
    url: Type.String({ minLength: 1, maxLength: 2000 }),
    vkey: Type.String({
      minLength: 1,
      maxLength: 1000,
      description: 'verifier key of the witness, from somewhere else than the witness',
    }),
  }),
  output: Witnessed,
  example: 'safekeep audit witness https://witness.example --vkey witness.example+…',
  run: async (context, { url, vkey: witnessKey }) => {
    const { tenant, home, signal } = context;
    const database = await context.database();
    await sequenceOnce(context);
    return { result: await askWitness(database, { tenant, home, signal, url, witnessKey }) };
  },
  render: ({ origin, size, witness: name, at, file }, ink) =>
    `${ink.good('Countersigned')} by ${name} at ${at}: ${origin}, ${size} event(s)\n${ink.dim(file)}`,
});

const acknowledgeCommand = command({
  name: 'audit acknowledge',
  summary: 'say why the log is not what was signed before (a restore, a home that was lost), and go on with it as it is',
  input: Type.Object({
    reason: Type.String({ minLength: 1, maxLength: 1000, description: 'stays in the log: no personal data' }),
    rows: Type.Optional(
      Type.String({
        pattern: '^[0-9a-f]{32}$',
        description: 'the digest that `audit verify --full` told of rows that do not hold: no other difference is answered for',
      }),
    ),
    checkpoint: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'file with a checkpoint that somebody else holds, where the home has none any more',
      }),
    ),
  }),
  output: Acknowledged,
  example: 'safekeep audit acknowledge --reason "restored from the backup of Monday"',
  event: { none: 'what it says is written into the log by itself, with the reason' },
  run: async (context, { reason, rows, checkpoint: file }) => {
    const { tenant, home } = context;
    await context.confirm('Going on with the log as this database has it');
    const ground = await openSequencer(context);
    try {
      const told = rows === undefined ? {} : { rows };
      const order = { tenant, reason, ...told, outside: await keptCheckpoints(home, tenant), owners: await ownersOfLogs(home) };
      return {
        result: await acknowledge(ground, {
          ...order,
          ...(file === undefined ? {} : { checkpoint: await readNoteFile(resolve(file)) }),
        }),
      };
    } finally {
      await ground.keys.close();
    }
  },
  render: ({ lost, adopted, baselines }, ink) =>
    [
      ...lost.map(({ origin, size, stands }) =>
        ink.warn(`${origin}: ${size} event(s) were signed, ${stands} are in the database.`),
      ),
      ...adopted.map((origin) => ink.warn(`${origin}: the home had no checkpoint of it, and has one again.`)),
      ...baselines.map((table) =>
        ink.warn(
          `${table}: its rows or its baseline were not as the log and this home have them; a new baseline is taken of what stands there.`,
        ),
      ),
      lost.length + adopted.length + baselines.length === 0
        ? 'The log has lost nothing that this home knows of.'
        : 'That you know is in the log.',
    ].join('\n'),
});

const vkey = command({
  name: 'audit vkey',
  summary: 'print the verifier key that checkpoints of this home are checked with',
  input: NONE,
  output: NoteText,
  example: 'safekeep audit vkey',
  run: async (context) => ({ result: { text: await verifierKeyOf(context) } }),
  render: ({ text }) => text,
});

const partitions = command({
  name: 'audit partitions',
  summary: 'list the months of the log, make those that are missing, index the closed ones; drop old ones when asked',
  input: Type.Object({
    keepMonths: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: MONTHS_AT_MOST,
        description: 'drop what is older; refused where a hold concerns that time',
      }),
    ),
  }),
  output: Partitions,
  example: 'safekeep audit partitions --keep-months 120',
  event: { none: 'that events were dropped is written into the log in the transaction that drops them' },
  run: async (context, { keepMonths }) => {
    const database = await context.database();
    const { tenant, clock, signal } = context;
    if (keepMonths === undefined) return { result: await keepPartitions(database, { tenant, clock, signal }) };
    await context.confirm(`Dropping the events of the log that are older than ${keepMonths} months`);
    const { markOf } = await openHomeKey(context.home);
    const policy = { keepMonths, markOf, sequence: () => sequenceOnce(context) };
    return { result: await keepPartitions(database, { tenant, clock, signal, policy }) };
  },
  render: ({ partitions: all, made, dropped, indexed }, ink) =>
    [
      ...all.map(
        ({ name, bounds, rows, sizeBytes }) => `${ink.strong(name)}  about ${rows} rows, ${sizeBytes} bytes  ${ink.dim(bounds)}`,
      ),
      ...(made.length > 0 ? [`made: ${made.join(', ')}`] : []),
      ...(indexed.length > 0 ? [`indexed: ${indexed.join(', ')}`] : []),
      ...(dropped.length > 0 ? [ink.warn(`dropped: ${dropped.join(', ')}`)] : []),
    ].join('\n'),
});

const attestCommand = command({
  name: 'audit attest',
  summary: 'look whether every trigger and function of the capture stands as applied, and put the answer into the log',
  input: NONE,
  output: Attestation,
  example: 'safekeep audit attest',
  notSo: 'a trigger or function does not stand as applied',
  run: async (context) => {
    const result = await attest(await context.database(), context.tenant);
    return { result, ok: result.ok };
  },
  render: ({ ok, tables, faults }, ink) =>
    [
      ...faults.map(({ code, detail }) => `${ink.bad(code)} ${detail}`),
      ok
        ? ink.good(`The capture of ${tables} table(s) stands as applied.`)
        : 'Apply the map again: `safekeep plan`, then `safekeep apply`.',
    ].join('\n'),
});

const actorKey = command({
  name: 'audit actor-key',
  summary: 'make a secret by which your application proves who acts; it is shown this once',
  input: NONE,
  output: ActorKey,
  example: 'safekeep audit actor-key',
  event: { none: 'that a key was made is written into the log in the transaction that makes it' },
  run: async (context) => {
    await context.confirm('Making a key for actors');
    return { result: await makeActorKey(await context.database(), context.tenant) };
  },
  render: ({ keyId, secret }) =>
    `key id  ${keyId}\nsecret  ${secret}\nKeep both where your application keeps its secrets; the secret is not shown again.`,
});

/** Before capture ends: what is written then is in no log, and no baseline holds any more. */
async function sequenceToEnd(context: CommandContext): Promise<void> {
  const ground = await openSequencer(context);
  try {
    await sequence(ground, { wait: true, atEnd: (client) => endAllBaselines(client, ground, context.tenant) });
  } finally {
    await ground.keys.close();
  }
}

async function sequenceOnce(context: CommandContext): Promise<void> {
  const ground = await openSequencer(context);
  try {
    await sequence(ground);
  } finally {
    await ground.keys.close();
  }
}

/**
 * For `unapply`: the log goes on standing in schema safekeep, and a copy that any verifier reads lies in the home. Each era has a folder
 * of its own, and so has a log that was begun after the schema had been dropped.
 */
export const logPutAside: TakeOut = {
  run: async (context) => {
    const database = await context.database();
    await bringUpToDate(context, sequenceToEnd);
    const { home, tenant, signal } = context;
    const trees = await readOnly(database, tenant, (client) => readTrees(client, tenant));
    const told: string[] = [];
    for (const { era, origin } of trees.filter(({ note }) => note !== null)) {
      const directory = join(home, 'audit', `log-${logName({ tenant, origin })}`);
      const { size, files } = await exportTiles(database, { tenant, era, directory, signal, progress: () => undefined });
      told.push(`The log, ${size} event(s) in ${files} files, lies in ${directory}.`);
    }
    return told;
  },
  ended: async (context, steps) => {
    const tables = steps.filter(({ kind }) => kind === 'audit-capture').map(({ target }) => target);
    if (tables.length > 0) await bringUpToDate(context, () => endCapturesOf(context, tables));
  },
};

async function endCapturesOf(context: CommandContext, tables: readonly string[]): Promise<void> {
  const ground = await openSequencer(context);
  try {
    await endCaptures(ground, tables);
  } finally {
    await ground.keys.close();
  }
}

export const auditCommands: readonly Command[] = [
  sequenceCommand,
  checkpoint,
  acknowledgeCommand,
  vkey,
  witness,
  partitions,
  attestCommand,
  actorKey,
  ...verificationCommands(sequenceOnce),
  ...questionCommands(sequenceOnce),
];
