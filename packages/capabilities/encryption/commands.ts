import { resolve } from 'node:path';
import { readFile } from 'node:fs/promises';
import { Type } from '@safekeep/core/schema';
import { codeOf, isSafekeepError, parseDay, SafekeepError, Secret } from '@safekeep/core';
import { command, type Command, type CommandContext, type Frozen, type Ink } from '../capability.ts';
import { parseKey } from '../holds/index.ts';
import { ledgerFor } from '../ledger/index.ts';
import { destroyKey } from './actions/destroy-key.ts';
import { backupKeys, openBackup, type BackupWay } from './actions/backup-keys.ts';
import { census, listRing } from './actions/list-keys.ts';
import { openKeys, type RecordFor } from './actions/open-context.ts';
import type { Keyring } from './actions/open-keys.ts';
import { recoverStore, restoreTable, tryKeys } from './actions/recover-keys.ts';
import { rollEpoch } from './actions/roll-epoch.ts';
import { rotateRoot } from './actions/rotate-root.ts';
import { rotateSubject } from './actions/rotate-subject.ts';
import { createScope, rotateScope } from './actions/scope-keys.ts';
import { workOffShreds } from './actions/shred-subject.ts';
import {
  Census,
  KeyBackup,
  KeyDestroyed,
  KeyPage,
  KeyText,
  Recovery,
  Rotation,
  Shreds,
  type PersonKey,
  type SealedPlace,
} from './model.ts';
import { newestExport } from './files/exports.ts';
import { requireScope } from './rules/scope.ts';

const PAGE = 100;
const PAGE_AT_MOST = 10_000;
const DAY_MS = 86_400_000;
const DAYS_AT_MOST = 36_500;

const Purpose = Type.Union([Type.Literal('data'), Type.Literal('index')], {
  default: 'data',
  description: 'data: seals values. index: makes blind indexes, opens nothing',
});
const ExpiresDays = Type.Optional(
  Type.Integer({ minimum: 1, maximum: DAYS_AT_MOST, description: 'told 30 days before; nothing stops working by itself' }),
);

/** What the commands of keys are put together with. */
export type KeyPorts = {
  /** Where sealed values stand, as the capabilities that seal tell. */
  readonly places: readonly SealedPlace[];
  readonly record?: RecordFor;
};

export function keyCommands({ places, record }: KeyPorts): readonly Command[] {
  const withKeys: WithKeys = async (context, action) => {
    const told = record?.(context);
    const ring = await openKeys(context, told === undefined ? {} : { record: told });
    try {
      return await action(ring);
    } finally {
      await ring.close();
    }
  };
  const list = command({
    name: 'keys list',
    summary: 'list keys, their states and uses, and what is to be done about them',
    input: Type.Object({
      census: Type.Optional(Type.Boolean({ description: 'count the values sealed under each, too' })),
      limit: Type.Integer({ default: PAGE, minimum: 1, maximum: PAGE_AT_MOST, description: 'keys at most' }),
      cursor: Type.Optional(Type.String({ description: 'where the page before ended' })),
    }),
    output: KeyPage,
    example: 'safekeep keys list --census',
    run: async (context, { census: counted = false, limit, cursor }) =>
      await withKeys(context, async (ring) => {
        const { tenant } = context;
        const after = cursor === undefined ? undefined : idOf(cursor);
        const page = await listRing(ring, tenant, {
          limit,
          places: counted ? places : undefined,
          ...(after === undefined ? {} : { after }),
        });
        const root = page.epochs.length === 0 ? { id: '', detail: 'made with the first key' } : await describeRoot(ring);
        return { result: { ...page, root: { kind: context.configuration.rootKind, ...root } } };
      }),
    render: ({ keys, next, root, epochs, alerts }, ink) =>
      [
        `Root: ${root.kind}, ${root.detail}.`,
        ...epochs.map(
          ({ epoch, state, createdAt, destroyedAt }) =>
            `Epoch ${epoch}: ${state}, made ${createdAt}${destroyedAt === null ? '' : `, destroyed ${destroyedAt}`}.`,
        ),
        ...alerts.map((alert) => ink.warn(told(alert))),
        ...(keys.length === 0 ? ['There are no keys yet.'] : [ink.dim(HEADS), ...keys.map((key) => describe(key, ink))]),
        ...(next === null ? [] : [ink.dim(`more with --cursor ${next}`)]),
      ].join('\n'),
  });

  const create = command({
    name: 'keys create',
    summary: 'make the first key of a type of data, or the next one ahead of its rotation',
    positionals: [{ key: 'scope', label: 'SCOPE', description: 'the type of data: user.contact.email' }],
    input: Type.Object({
      scope: Type.String(),
      purpose: Purpose,
      expiresDays: ExpiresDays,
      preActive: Type.Optional(Type.Boolean({ description: 'becomes active with the next rotation' })),
    }),
    output: Type.Object({ keys: Type.Array(KeyText) }),
    example: 'safekeep keys create user.contact.email --expires-days 365',
    event: { kind: 'compliance' },
    run: async (context, { scope, purpose, expiresDays, preActive = false }) =>
      await withKeys(context, async (ring) => {
        const { tenant } = context;
        const state = preActive ? 'pre-active' : 'active';
        const made = await createScope(ring, {
          tenant,
          scope: requireScope(scope),
          purpose,
          expiresAt: expiry(context, expiresDays),
          state,
        });
        if (made === undefined) throw new SafekeepError('key-exists', { scope });
        return { result: { keys: await keysOf(ring, tenant, [made.keyId]) } };
      }),
    render: ({ keys }, ink) => keys.map((key) => describe(key, ink)).join('\n'),
  });

  const rotate = command({
    name: 'keys rotate',
    summary: 'replace the root, the epoch, the key of a type of data, or the keys of a person',
    positionals: [
      { key: 'scope', label: 'SCOPE', description: 'root, epoch, a type of data (user.contact.email) or a person (patient:42)' },
    ],
    input: Type.Object({
      scope: Type.String(),
      purpose: Purpose,
      expiresDays: ExpiresDays,
      destroyOld: Type.Optional(
        Type.Boolean({ description: 'with root: tell the program behind the old one to destroy it; it must serve nobody else' }),
      ),
    }),
    output: Rotation,
    example: 'safekeep keys rotate epoch',
    event: { kind: 'compliance', tells: ['now', 'before'] },
    run: async (context, { scope, purpose, expiresDays, destroyOld = false }) =>
      await withKeys(context, async (ring) => {
        const began = context.clock.elapsedMs();
        const rotated = await rotateWhat(ring, context, { scope, purpose, expiresAt: expiry(context, expiresDays), destroyOld });
        return { result: { scope, ...rotated, seconds: (context.clock.elapsedMs() - began) / 1000 } };
      }),
    render: ({ scope, now, before, rewrapped, destroyed, exported, seconds }, ink) =>
      [
        `${ink.good(scope)}: ${now}${before === null ? '' : ` in place of ${before}`}, ${rewrapped} key(s) wrapped anew in ${seconds.toFixed(1)} s.`,
        ...(exported === null ? [] : [`The key table was exported and read back: ${exported}.`]),
        ...(destroyed === null
          ? []
          : [
              `The old one was destroyed at ${destroyed}. Make a new backup now: "safekeep keys backup --out FOLDER --shares 3 --threshold 2".`,
            ]),
      ].join('\n'),
  });

  const count = command({
    name: 'keys census',
    summary: 'count the values sealed under each key, by their headers alone',
    input: Type.Object({}),
    output: Census,
    example: 'safekeep keys census',
    notSo: 'a value names a key that is not here',
    run: async (context) =>
      await withKeys(context, async (ring) => {
        const result = await census(ring, context.tenant, places);
        return { result, ok: result.unknown.length === 0 };
      }),
    render: ({ keys, places: counted, values, unknown }, ink) =>
      [
        `${values} sealed value(s) in ${Object.keys(counted).length} place(s).`,
        ...Object.entries(counted).map(([name, number]) => `  ${name}: ${number}`),
        ...keys.map(
          ({ id, scope, columns, state, values: number }) =>
            `${ink.dim(id)}  ${state}  ${ink.strong(scope)}${ofColumns(columns)}  ${number}`,
        ),
        ...unknown.map((id) => ink.bad(`${id}  unknown here: these values open with no key of this tenant`)),
      ].join('\n'),
  });

  const backup = command({
    name: 'keys backup',
    summary: 'write all keys of this home for recipients of age, or in shares of which some are enough',
    input: Type.Object({
      out: Type.String({ description: 'folder for the files; nothing in it is replaced' }),
      recipient: Type.Optional(
        Type.Array(Type.String(), { description: 'age1…: whoever holds one of these identities can recover' }),
      ),
      shares: Type.Optional(Type.Integer({ minimum: 2, maximum: 16, description: 'how many shares; each goes to another person' })),
      threshold: Type.Optional(Type.Integer({ minimum: 2, maximum: 16, description: 'how many of them are enough' })),
      keepUntil: Type.Optional(
        Type.String({ description: 'YYYY-MM-DD by which you destroy this backup; without it no shred horizon can be told' }),
      ),
    }),
    output: KeyBackup,
    example: 'safekeep keys backup --out /media/usb --shares 5 --threshold 3 --keep-until 2027-01-31',
    event: { kind: 'compliance', tells: ['id'] },
    run: async (context, { out, recipient = [], shares, threshold, keepUntil }) =>
      await withKeys(context, async ({ ground: { directory, roots, clock } }) => ({
        result: await backupKeys(
          { directory, roots, clock, home: context.home },
          { way: wayOf(recipient, shares, threshold), out: resolve(out), keepUntil: dayIn(keepUntil) },
        ),
      })),
    render: ({ files, beside, epochs, keepUntil }, ink) =>
      [
        ...files.map((file) => ink.good(file)),
        ...beside.map((path) => ink.warn(`Copy this one too, it holds wrapped keys alone and is too large to go in: ${path}`)),
        ...Object.entries(epochs).map(([tenant, numbers]) => `Tenant ${tenant}: epoch ${numbers.join(', ')}.`),
        keepUntil === null
          ? ink.warn('No day of its destruction was given: the horizon of what is shredded from now on is unknown.')
          : `To be destroyed by ${keepUntil}.`,
        'Try it: "safekeep keys recover" into an empty home.',
      ].join('\n'),
  });

  const recover = command({
    name: 'keys recover',
    summary: 'rebuild the keys from a backup, or bring the key table of a restored database up to date',
    input: Type.Object({
      from: Type.Optional(
        Type.Array(Type.String(), {
          description: 'file of the backup, repeated for each share; without it only the key table is brought up to date',
        }),
      ),
      identityFile: Type.Optional(Type.String({ description: 'file with the age identity the backup is for' })),
      export: Type.Optional(Type.String({ description: 'take this export of the key table instead of the newest' })),
    }),
    output: Recovery,
    example: 'safekeep keys recover --from a.share-1.json --from b.share-2.json --from c.share-3.json',
    notSo: 'a living key does not open',
    event: { kind: 'compliance' },
    run: async (context, input) =>
      await withKeys(context, async (ring) => {
        await context.confirm('Recovering keys');
        const result = await recoverAll(ring, context, input);
        return { result, ok: result.ok };
      }),
    render: ({ epochs, files, keys, closed, restored }, ink) =>
      [
        ...Object.entries(epochs).map(([tenant, numbers]) => `Tenant ${tenant}: epoch ${numbers.join(', ')} put back.`),
        ...(files.length === 0 ? [] : [`Put back: ${files.join(', ')}.`]),
        `${restored} key(s) of the database brought up to date; ${keys} tried, ${closed === 0 ? ink.good('all open') : ink.bad(`${closed} do not open`)}.`,
      ].join('\n'),
  });

  const shred = command({
    name: 'keys shred',
    summary: 'end what a crash left open, and shred whom a hold had kept and no longer keeps',
    input: Type.Object({}),
    output: Shreds,
    example: 'safekeep keys shred',
    event: { kind: 'compliance' },
    run: async (context) =>
      await withKeys(context, async (ring) => {
        await context.confirm('Shredding what is queued');
        const ledger = await ledgerFor(context);
        try {
          const { shredded, held, recovered } = await workOffShreds({ ring, ledger, tenant: context.tenant, places });
          return { result: { shredded, held, recovered: { done: recovered.done.length, abandoned: recovered.abandoned.length } } };
        } finally {
          ledger.close();
        }
      }),
    render: ({ shredded, held, recovered }) =>
      `${shredded} shredded, ${held} still held; of the ledger ${recovered.done} ended as done, ${recovered.abandoned} as abandoned.`,
  });

  const destroy = command({
    name: 'keys destroy',
    summary: 'destroy a key of an encrypted column that was replaced, once nothing here is sealed under it',
    positionals: [{ key: 'key', label: 'KEY', description: 'its id, as `keys list` and `keys census` show it' }],
    input: Type.Object({
      key: Type.String(),
      dryRun: Type.Optional(Type.Boolean({ description: 'count and tell whether it may go; nothing is changed' })),
      wait: Type.Boolean({
        default: true,
        description: 'it was replaced more than a minute ago: do not wait until nobody has it in memory',
      }),
    }),
    output: KeyDestroyed,
    example: 'safekeep keys destroy 6b1f0c9a2d3e4f50 --dry-run',
    event: { kind: 'compliance', tells: ['id', 'scope', 'destroyed'] },
    run: async (context, { key: named, dryRun = false, wait }) =>
      await withKeys(context, async (ring) => {
        const { key, events, destroyedAt } = await destroyKey(ring, context.tenant, {
          keyId: idOf(named),
          places,
          dryRun,
          ...(wait ? {} : { leaseMs: 0 }),
          signal: context.signal,
          waiting: () => context.say('Waiting until nobody has the key in memory any more; that takes a minute.'),
          agree: (retired) =>
            context.confirm(
              `Destroying key ${named} (${retired.key.scope ?? ''}${ofColumns(retired.key.columns)}) for ever${ofEvents(retired.events)}`,
            ),
        });
        const { scope, purpose, state, version } = key;
        const destroyed = destroyedAt?.toISOString() ?? null;
        return { result: { id: named, scope: scope ?? '', purpose, state, version, destroyed, events } };
      }),
    render: ({ id, scope, destroyed, events }, ink) =>
      destroyed === null
        ? `Nothing here is sealed under ${id} (${scope}): it may be destroyed${ofEvents(events)}. Nothing was changed.`
        : `${ink.good('destroyed')} ${id} (${scope}). Copies of the database and of its keys from before still open it: run "safekeep keys rotate epoch", and let key backups of before go.`,
  });

  return [list, create, rotate, count, backup, recover, shred, destroy];
}

/** What goes with a key and is counted as far as it can be: under which key the ciphertext is that an event holds, its seal hides. */
function ofEvents(events: number | null): string {
  if (events === 0) return '';
  const which = events === null ? 'events of the audit log hold' : `${events} events of the audit log may hold`;
  return `, and with it what ${which} of the column as ciphertext${events === null ? ', which is not counted' : ''}`;
}

type WithKeys = <Result>(context: CommandContext, action: (ring: Keyring) => Promise<Result>) => Promise<Result>;

type Wish = {
  readonly scope: string;
  readonly purpose: 'data' | 'index';
  readonly expiresAt: Date | null;
  readonly destroyOld: boolean;
};

async function rotateWhat(ring: Keyring, context: CommandContext, { scope, purpose, expiresAt, destroyOld }: Wish) {
  const { tenant } = context;
  const nothing = { destroyed: null, exported: null };
  if (scope === 'root') {
    const { now, before, rewrapped } = await rotateRoot(ring, { destroyOld });
    return { ...nothing, now, before: before.length === 0 ? null : before.join(', '), rewrapped };
  }
  if (scope === 'epoch') {
    const bar = context.progress('wrapping keys', { unit: 'keys' });
    try {
      const { from, to, rewrapped, exported, destroyedAt } = await rollEpoch(ring, tenant, {
        onProgress: (done) => bar.update(done),
        signal: context.signal,
      });
      return { now: String(to), before: String(from), rewrapped, destroyed: destroyedAt.toISOString(), exported };
    } finally {
      bar.end();
    }
  }
  const person = personIn(scope);
  if (person !== undefined) {
    const rotated = await rotateSubject(ring, tenant, person);
    const list = (of: 'now' | 'before'): string => rotated.map((each) => `${each[of]} (${each.fate})`).join(', ');
    return { ...nothing, now: list('now'), before: list('before'), rewrapped: 0 };
  }
  if (purpose === 'index' && scope.startsWith('field.'))
    throw new SafekeepError('usage', {
      problem:
        'The numbers that an encrypted column is searched by would stay under the old key: use `safekeep encrypt reindex COLUMN`.',
    });
  const { now, before } = await rotateScope(ring, { tenant, scope: requireScope(scope), purpose, expiresAt });
  return { ...nothing, now: now.keyId, before: before.keyId, rewrapped: 0 };
}

/** `patient:42`. Whether there is such a type only its keys tell. Throws `subject-invalid`. */
function personIn(text: string): PersonKey | undefined {
  const colon = text.indexOf(':');
  if (colon < 1) return undefined;
  const key = parseKey(text.slice(colon + 1));
  if ('fault' in key) throw new SafekeepError('subject-invalid', { reason: key.fault });
  return { type: text.slice(0, colon), key };
}

type RecoverInput = {
  readonly from?: readonly string[] | undefined;
  readonly identityFile?: string | undefined;
  readonly export?: string | undefined;
};

async function recoverAll(
  ring: Keyring,
  context: CommandContext,
  { from = [], identityFile, export: named }: RecoverInput,
): Promise<Recovery> {
  const { tenant, home } = context;
  const identity = identityFile === undefined ? undefined : new Secret(await textOf(identityFile));
  const put =
    from.length === 0
      ? { epochs: {}, files: [] }
      : await recoverStore(
          ring,
          home,
          await openBackup(
            from.map((path) => resolve(path)),
            identity,
          ),
        );
  // Without an export the table can only be as it is: then it is what is tried.
  const path = named ?? (await newestExport(ring.ground.directory, tenant));
  const restored = path === undefined && from.length > 0 ? 0 : await restoreTable(ring, tenant, path);
  const { keys, closed } = await tryKeys(ring, tenant);
  return { ...put, restored, keys, closed, ok: closed === 0 };
}

async function keysOf(ring: Keyring, tenant: string, ids: readonly string[]): Promise<KeyText[]> {
  const before = ids.map((id) => BigInt(`0x${id}`) - 1n);
  const pages = await Promise.all(
    before.map((id) =>
      listRing(ring, tenant, {
        limit: 1,
        places: undefined,
        ...(id < 0n ? {} : { after: Buffer.from(id.toString(16).padStart(16, '0'), 'hex') }),
      }),
    ),
  );
  return pages.flatMap(({ keys }) => [...keys]);
}

function wayOf(recipients: readonly string[], shares: number | undefined, threshold: number | undefined): BackupWay {
  if (recipients.length > 0 && shares === undefined && threshold === undefined) return { kind: 'age', recipients };
  if (recipients.length === 0 && shares !== undefined && threshold !== undefined) return { kind: 'shares', shares, threshold };
  throw new SafekeepError('usage', { problem: 'Say for whom: --recipient AGE, or --shares N with --threshold K.' });
}

function dayIn(text: string | undefined): Date | null {
  if (text === undefined) return null;
  const day = parseDay(text);
  if (day === undefined) throw new SafekeepError('usage', { problem: '--keep-until is a day: YYYY-MM-DD.' });
  return day;
}

function expiry({ clock }: CommandContext, days: number | undefined): Date | null {
  return days === undefined ? null : new Date(clock.now().getTime() + days * DAY_MS);
}

/** The list is the database's: an auditor reads it whose machine has no root. What needs one says so itself, and so does doctor. */
async function describeRoot(ring: Keyring): Promise<{ readonly id: string; readonly detail: string }> {
  try {
    const root = await ring.ground.roots.current();
    return { id: root.id, detail: await root.describe() };
  } catch (error) {
    if (!isSafekeepError(error, 'key-root-missing')) throw error;
    return { id: '', detail: 'not in this home, which can open none of these keys' };
  }
}

function idOf(text: string): Buffer {
  if (!/^[0-9a-f]{16}$/.test(text))
    throw new SafekeepError('usage', { problem: 'The id of a key is 16 hex digits, as `safekeep keys list` shows it.' });
  return Buffer.from(text, 'hex');
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(resolve(path), 'utf8');
  } catch (cause) {
    throw new SafekeepError('file-unreadable', { path, reason: codeOf(cause) ?? 'unknown reason' }, { cause });
  }
}

/** Above the keys as `describe` writes them. */
const HEADS = 'key id            state   what it seals, purpose, version  uses';

function describe(key: Frozen<KeyText>, ink: Ink): string {
  const { id, scope, columns, purpose, state, version, uses, values, expiresAt, alerts } = key;
  const shown = state === 'active' ? ink.good(state) : state === 'shredded' ? ink.dim(state) : ink.warn(state);
  const counted = values === null ? '' : `, ${values} value(s)`;
  const ends = expiresAt === null ? '' : `, expires ${expiresAt}`;
  const name = `${ink.strong(scope)}${ofColumns(columns)} ${purpose} v${version}`;
  return `${ink.dim(id)}  ${shown}  ${name}  ${uses} use(s)${counted}${ends}${alerts.map((alert) => `  ${ink.bad(alert)}`).join('')}`;
}

function ofColumns(columns: readonly string[]): string {
  return columns.length === 0 ? '' : ` of ${columns.join(', ')}`;
}

/** What an alert of the whole ring means, and what to do. */
function told(alert: string): string {
  const meaning: Readonly<Record<string, string>> = {
    'epoch-overdue': 'copies of the database from before its last roll still open; run "safekeep keys rotate epoch"',
    'roll-unfinished': 'two epochs are in use; "safekeep keys rotate epoch" ends it',
    'no-key-backup-of-this-epoch':
      'if the keys are lost, everything sealed is; run "safekeep keys backup --out FOLDER --shares 3 --threshold 2"',
  };
  return `${alert}: ${meaning[alert] ?? ''}`;
}
