import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { fixedClock, isSafekeepError, type ErrorCode } from '@safekeep/core';
import { createSigningKey, signingKeyFromPem } from '@safekeep/crypto';
import { testDatabase, testServers, type TestDatabase, type TestServer } from '@safekeep/postgres/testing';
import { openLedger, type Ledger } from '../../ledger/index.ts';
import { openKeyring, type Keyring } from '../actions/open-keys.ts';
import type { KeyEvent, SubjectKey } from '../model.ts';
import { openRoots, type RootSettings } from '../roots/open.ts';

/** Anything that runs a function at the end of a test: the context of node:test. */
type Ending = { readonly after: (run: () => Promise<void>) => void };

export type Workbench = TestDatabase & {
  readonly home: string;
  readonly directory: string;
  readonly clock: ReturnType<typeof fixedClock>;
  readonly events: KeyEvent[];
  readonly secretsMade: string[];
  /** A ring of its own, as another process would have. Closed at the end of the test. */
  readonly ring: (options?: {
    readonly directory?: string;
    readonly settings?: Partial<RootSettings>;
    readonly database?: TestDatabase['database'];
  }) => Keyring;
  readonly ledger: () => Promise<Ledger>;
  readonly inTenant: <Result>(
    run: (client: pg.PoolClient) => Promise<Result>,
    options?: { readonly tenant?: string; readonly mode?: string; readonly end?: 'commit' | 'rollback'; readonly role?: string },
  ) => Promise<Result>;
};

const FILE_ROOT: RootSettings = {
  kind: 'file',
  passphrase: undefined,
  ageIdentity: undefined,
  key: undefined,
  command: undefined,
  timeoutMs: 10_000,
  previous: undefined,
};

export const PERSON = { type: 'patient', key: ['42'] };

/** A home, a migrated database with two tenants, and rings on them. */
export async function workbench(
  t: Ending,
  { server = testServers()[0] }: { readonly server?: TestServer } = {},
): Promise<Workbench> {
  const made = await testDatabase(t, { migrated: true, server });
  await made.pool.query("insert into safekeep.tenants (tenant_id, name) values ('other', 'Other')");
  const home = await mkdtemp(join(tmpdir(), 'safekeep-keys-'));
  const directory = join(home, 'keys');
  const clock = fixedClock('2026-11-21T10:00:00Z');
  const events: KeyEvent[] = [];
  const secretsMade: string[] = [];
  const closing: (() => void)[] = [];
  t.after(async () => {
    for (const close of closing) close();
    await rm(home, { recursive: true, force: true });
  });
  return {
    ...made,
    home,
    directory,
    clock,
    events,
    secretsMade,
    ring: (options = {}) =>
      ringOn(options.database ?? made.database, options.directory ?? directory, {
        clock,
        settings: { ...FILE_ROOT, ...options.settings },
        events,
        secretsMade,
      }),
    ledger: async () => {
      const ledger = await openLedger({
        directory: join(home, 'ledger'),
        keyFile: join(home, 'keys', 'ledger.key'),
        signer: signingKeyFromPem(createSigningKey(), 'home-1'),
        clock,
      });
      closing.push(() => ledger.close());
      return ledger;
    },
    inTenant: async (run, { tenant = 'default', mode = '', end = 'commit', role } = {}) => {
      const client = await made.pool.connect();
      try {
        await client.query(`begin ${mode}`);
        if (role !== undefined) await client.query(`set local role ${role}`);
        await client.query("select set_config('safekeep.tenant', $1, true)", [tenant]);
        const result = await run(client);
        await client.query(end);
        return result;
      } catch (error) {
        await client.query('rollback');
        throw error;
      } finally {
        client.release();
      }
    },
  };
}

type Parts = {
  readonly clock: ReturnType<typeof fixedClock>;
  readonly settings: RootSettings;
  readonly events: KeyEvent[];
  readonly secretsMade: string[];
};

function ringOn(database: TestDatabase['database'], directory: string, { clock, settings, events, secretsMade }: Parts): Keyring {
  return openKeyring({
    database,
    directory,
    clock,
    roots: openRoots({ settings, directory, now: () => clock.now(), onSecretMade: (path) => void secretsMade.push(path) }),
    record: async (event) => void events.push(event),
  });
}

export function owner(number: number, fate: 'erasable' | 'kept' = 'erasable', tenant = 'default') {
  return { tenant, subject: `patient:${number}`, fate };
}

export const CONTEXT = Buffer.from('test context');

export const PLAIN = Buffer.from('penicillin allergy');

export function refused(code: ErrorCode) {
  return (error: unknown): boolean => isSafekeepError(error, code);
}

export async function sealed(bench: Workbench, number: number): Promise<{ readonly id: string; readonly bytes: Buffer }> {
  const keys = await bench.inTenant((client) => bench.ring().subjectKeys.forSealing(client, [owner(number)]));
  const key = keys.get(`default/patient:${number}/erasable`);
  if (key === undefined || key === 'erased') throw new Error('A person without a key');
  return { id: key.keyId, bytes: key.seal(PLAIN, CONTEXT) };
}

export async function opening(bench: Workbench, id: string, ring = bench.ring()): Promise<SubjectKey | 'erased' | undefined> {
  return (await bench.inTenant((client) => ring.subjectKeys.forOpening(client, [id]))).get(id);
}
