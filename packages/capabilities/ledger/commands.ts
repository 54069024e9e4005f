import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Type } from '@safekeep/core/schema';
import { codeOf, SafekeepError } from '@safekeep/core';
import { command, type Command, type CommandContext } from '../capability.ts';
import { openLedger, type Ledger, type LedgerPlace } from './actions/open-ledger.ts';
import { openIntents, readLedger } from './actions/read-ledger.ts';
import { verifyLedger } from './actions/verify-ledger.ts';
import { EntryPage, Verification, type EntryView, type Seen } from './model.ts';
import { entryView } from './rules/intents.ts';
import { readLedgerKey, type LedgerKey } from './rules/mark.ts';
import { begin, readSeen, rollback } from './store.ts';

const PAGE = 100;
const PAGE_AT_MOST = 100_000;

const list = command({
  name: 'ledger list',
  summary: 'show what was destroyed, or was going to be, newest last',
  input: Type.Object({
    open: Type.Optional(
      Type.Boolean({ description: 'only what was begun and has no end: a crash, or work that goes on right now' }),
    ),
    limit: Type.Integer({ default: PAGE, minimum: 1, maximum: PAGE_AT_MOST, description: 'entries at most, the newest ones' }),
  }),
  output: EntryPage,
  example: 'safekeep ledger list --open',
  run: async (context, { open = false, limit }) => ({ result: { entries: await lastEntries(placeOf(context), { open, limit }) } }),
  render: ({ entries }, ink) =>
    entries.length === 0
      ? 'There are no such entries.'
      : entries
          .map(({ sequence, at, kind, operation, id, counts, reason }) => {
            const rows = Object.values(counts).reduce((sum, count) => sum + count, 0);
            return `${String(sequence).padStart(8)}  ${ink.dim(at)}  ${kind === 'intent' ? ink.warn(kind) : kind}  ${ink.strong(operation)}  ${ink.dim(id)}  ${rows} row(s)${reason === null ? '' : `, ${reason}`}`;
          })
          .join('\n'),
});

const verify = command({
  name: 'ledger verify',
  summary: 'check the chain, signatures and copy of the ledger, and that nothing the database has seen is missing',
  input: Type.Object({
    offline: Type.Optional(Type.Boolean({ description: 'do not ask the database: a cut end may then stay unseen' })),
  }),
  output: Verification,
  example: 'safekeep ledger verify',
  notSo: 'the ledger, its copy or what the database knows of it is not what was written',
  run: async (context, { offline = false }) => {
    const place = placeOf(context);
    const key = await readKey(place.keyFile);
    const seen = offline ? undefined : await seenBy(context, key);
    const { directory, copyDirectory } = place;
    const { verifierKey } = await context.signer();
    const result = await verifyLedger({
      directory,
      ...(copyDirectory === undefined ? {} : { copyDirectory }),
      verifierKey,
      key,
      seen,
      clock: context.clock,
    });
    return { result, ok: result.ok };
  },
  render: ({ ok, ledger, entries, segments, head, open, torn, copy, heads, faults, seconds }, ink) => {
    if (ledger === null && faults.length === 0) {
      return `There is no ledger in this home.${heads.others === 0 ? '' : ink.warn(` The database has seen ${heads.others} of other homes; if one of them was here, it is gone.`)}`;
    }
    const lines = [
      `${ok ? ink.good('whole') : ink.bad('NOT whole')}: ${entries} entries in ${segments} segment(s), read in ${seconds.toFixed(1)} s; the chain ends with entry ${head?.sequence ?? 0}.`,
      `Open: ${open}. Copy: ${copy.state}${copy.state === 'behind' ? ` by ${copy.missingBytes} bytes, written with the next entry` : ''}. Database: ${heads.state === 'checked' ? `${heads.seen} entries seen${heads.others === 0 ? '' : `, and ${heads.others} ledger(s) of other homes`}` : 'not asked'}.`,
      ...(torn ? [ink.warn('The newest line is incomplete: somebody is writing it, or a crash left it.')] : []),
      ...faults.map(
        ({ code, segment, line, detail }) =>
          `${ink.bad(code)}${segment === null ? '' : ` segment ${segment}${line === null ? '' : `, line ${line}`}`}: ${detail}`,
      ),
    ];
    return lines.join('\n');
  },
});

export const ledgerCommands: readonly Command[] = [list, verify];

/** Where the ledger of a call lies. */
function placeOf({ home, configuration }: Pick<CommandContext, 'home' | 'configuration'>): LedgerPlace {
  const { ledgerDirectory, ledgerCopyDirectory } = configuration;
  return {
    directory: ledgerDirectory === undefined ? join(home, 'ledger') : resolve(ledgerDirectory),
    ...(ledgerCopyDirectory === undefined ? {} : { copyDirectory: resolve(ledgerCopyDirectory) }),
    keyFile: join(home, 'keys', 'ledger.key'),
  };
}

/** The ledger of a command, for writing. Whoever opens it closes it. */
export async function ledgerFor(context: CommandContext): Promise<Ledger> {
  const onCopyFailure = (reason: string): void =>
    context.say(`The second copy of the ledger could not be written (${reason}); it is tried again with the next entry.`);
  return await openLedger({ ...placeOf(context), signer: await context.signer(), clock: context.clock, onCopyFailure });
}

async function lastEntries(
  { directory }: LedgerPlace,
  { open, limit }: { readonly open: boolean; readonly limit: number },
): Promise<readonly EntryView[]> {
  const wanted = open ? new Set((await openIntents(directory)).map(({ intent }) => intent.id)) : undefined;
  const entries: EntryView[] = [];
  for await (const { entry, sequence } of readLedger(directory)) {
    if (entry.kind === 'opened' || entry.kind === 'checkpoint') continue;
    if (wanted !== undefined && !wanted.has(entry.id)) continue;
    entries.push(entryView(entry, sequence));
    // Cut now and then, so that a long ledger is not held in memory.
    if (entries.length >= 2 * limit) entries.splice(0, entries.length - limit);
  }
  return entries.slice(-limit);
}

async function readKey(path: string): Promise<LedgerKey | undefined> {
  try {
    return readLedgerKey(await readFile(path, 'utf8'));
  } catch (cause) {
    const code = codeOf(cause);
    if (code === 'ENOENT') return undefined;
    throw new SafekeepError('file-unreadable', { path, reason: code ?? 'unknown reason' }, { cause });
  }
}

async function seenBy(context: CommandContext, key: LedgerKey | undefined): Promise<Seen> {
  const database = await context.database();
  return await database.withClient(async (client) => {
    await begin(client, context.tenant);
    const seen = await readSeen(client, context.tenant, key?.ledger);
    await rollback(client);
    return seen;
  });
}
