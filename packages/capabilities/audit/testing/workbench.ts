import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readMap, systemClock } from '@safekeep/core';
import { createSigningKey, signingKeyFromPem } from '@safekeep/crypto';
import { openLog } from '@safekeep/log';
import { fingerprint, readCatalog } from '@safekeep/postgres';
import { testDatabase, testServers, type TestDatabase, type TestServer } from '@safekeep/postgres/testing';
import {
  applyPlan,
  planDatabase,
  readStatus,
  unapply,
  type ApplyText,
  type Intent,
  type Plan,
  type StatusText,
  type Unapplied,
} from '../../plan/index.ts';
import { sequence, type SequencerGround } from '../actions/sequence.ts';
import { takeBaselines } from '../actions/take-baselines.ts';
import { auditBaseline } from '../contributors/baseline.ts';
import { auditCapture } from '../contributors/capture.ts';
import { baselineHeads } from '../files/baseline-heads.ts';
import { lastCheckpoint, ownersOfLogs } from '../files/last-checkpoint.ts';
import { auditKeys } from '../keys/audit-keys.ts';
import { fileRing } from './file-ring.ts';
import type { EventRow, Sequenced } from '../model.ts';
import { blobContext, readSealed } from '../rules/leaf.ts';
import { openEvents } from '../store/event-values.ts';
import { EVENT_COLUMNS } from '../store/events.ts';
import { keptCheckpoints } from '../verification/log-files.ts';
import type { LogVerification } from '../verification/model.ts';
import { verifyDatabase } from '../verification/verify-database.ts';

type Ending = { readonly after: (run: () => Promise<void>) => void };

/** The tables of a map as a file has them. */
export type TableTexts = Readonly<Record<string, object>>;

export type Workbench = TestDatabase & {
  readonly intent: (tables: TableTexts, parts?: object) => Intent;
  readonly plan: (intent: Intent) => Promise<Plan>;
  readonly status: (intent: Intent) => Promise<StatusText>;
  readonly apply: (intent: Intent) => Promise<ApplyText>;
  readonly unapply: () => Promise<Unapplied>;
  /** Of schema public. */
  readonly fingerprint: () => Promise<string>;
  readonly home: string;
  readonly sequencer: SequencerGround;
  /** Brings the map onto the database: what these tables say beside `audit: { writes: true }`. */
  readonly capture: (tables: TableTexts, parts?: object) => Promise<void>;
  /** As another process would begin. */
  readonly forgetKeys: () => void;
  readonly sequence: (options?: Partial<SequencerGround>) => Promise<Sequenced>;
  /** Takes those that are ordered or missing, whatever `baselines` says. */
  readonly takeBaselines: () => Promise<number>;
  /** In full. Where the bench has no baselines, that there are none is no fault. */
  readonly verify: (tenant?: string, wanted?: readonly string[]) => Promise<LogVerification>;
  /** All events of the default tenant in the order of the tree. */
  readonly events: () => Promise<readonly EventRow[]>;
  /** What the blobs of an event say, those that can be opened. */
  readonly opened: (event: EventRow) => Promise<readonly Blob[]>;
};

type Blob = { readonly record: string | null; readonly old?: object; readonly new?: object };
type Inside = readonly [record: string | null, old: object | null, made: object | null];

export async function workbench(
  t: Ending,
  options: { readonly setUp?: string; readonly server?: TestServer; readonly baselines?: boolean } = {},
): Promise<Workbench> {
  const { setUp = '', server = testServers()[0], baselines = false } = options;
  const made = await testDatabase(t, { migrated: true, server });
  if (setUp !== '') await made.pool.query(setUp);
  const applying = {
    database: made.database,
    tenant: 'default',
    clock: systemClock,
    signal: new AbortController().signal,
    observe: () => undefined,
    patience: { tries: 3, lockTimeoutMs: 500, pauseMs: 5 },
  };
  const bench = {
    ...made,
    intent: (tables: TableTexts, parts: object = {}): Intent => ({
      tenant: 'default',
      contributors: baselines ? [auditCapture, auditBaseline] : [auditCapture],
      read: mapOf({ ...parts, tables: audited(tables) }),
    }),
    plan: (intent: Intent): Promise<Plan> => planDatabase(made.database, intent),
    status: (intent: Intent): Promise<StatusText> => readStatus(made.database, intent),
    apply: (intent: Intent): Promise<ApplyText> => applyPlan(applying, { intent, author: 'Ada', agree: agreed }),
    unapply: (): Promise<Unapplied> => unapply(applying, { guards: [], agree: agreed }),
    fingerprint: async (): Promise<string> => fingerprint(await readCatalog(made.pool, { schemas: ['public'] })),
  };
  const home = await mkdtemp(join(tmpdir(), 'safekeep-audit-'));
  t.after(() => rm(home, { recursive: true, force: true }));
  const ring = fileRing({ database: made.database, home, clock: systemClock });
  t.after(async () => ring.forget());
  const keys = await auditKeys(home, ring);
  const log = openLog({ directory: join(home, 'log'), level: 'info', clock: systemClock, component: 'test', environment: {} });
  t.after(async () => log.close());
  const sequencer: SequencerGround = {
    database: bench.database,
    keys,
    signer: signingKeyFromPem(createSigningKey(), 'safekeep-test'),
    last: lastCheckpoint(home),
    heads: baselineHeads(home),
    clock: systemClock,
    log,
  };
  return {
    ...bench,
    home,
    sequencer,
    capture: async (tables, parts = {}) => {
      await bench.apply(bench.intent(tables, parts));
    },
    forgetKeys: () => ring.forget(),
    sequence: (more = {}) => sequence({ ...sequencer, ...more }, { baselines: baselines ? 'now' : 'later' }),
    takeBaselines: () => takeBaselines(sequencer),
    verify: async (tenant = 'default', wanted = []) => {
      const told = await verifyDatabase(bench.database, {
        tenant,
        verifierKey: sequencer.signer.verifierKey,
        outside: await keptCheckpoints(home, tenant),
        owners: await ownersOfLogs(home),
        heads: sequencer.heads,
        cosigned: [],
        wanted,
        full: true,
        pseudonymOf: keys.pseudonymOf,
        markOf: keys.markOf,
        valuesOf: (client, events) => openEvents(client, keys.subjectKeys, events),
        signal: new AbortController().signal,
        progress: () => undefined,
      });
      if (baselines) return told;
      // Nobody takes any here, so that the log has but what the test is about.
      const faults = told.faults.filter(({ code, detail }) => code !== 'baseline-missing' || !detail.includes('has no baseline'));
      return {
        ...told,
        faults,
        faultsFound: told.faultsFound - (told.faults.length - faults.length),
        ok: told.size > 0 && faults.length === 0,
      };
    },
    events: async () => {
      const { rows } = await bench.pool.query<EventRow>(
        `select ${EVENT_COLUMNS} from safekeep.audit_events as e where tenant_id = 'default' order by era, leaf_index`,
      );
      return rows;
    },
    opened: async (event) => {
      const blobs = readSealed(event.sealed);
      const found = await keys.subjectKeys.forOpening(
        bench.pool,
        blobs.map(({ keyId }) => keyId),
      );
      return blobs.flatMap(({ keyId, bytes }, place) => {
        const key = found.get(keyId);
        if (key === undefined || key === 'erased') return [];
        // What makeEvents sealed.
        const [record, before, after] = JSON.parse(key.open(bytes, blobContext(event, place)).toString('utf8')) as Inside;
        return [{ record, ...(before && { old: before }), ...(after && { new: after }) }];
      });
    },
  };
}

function audited(tables: TableTexts): TableTexts {
  return Object.fromEntries(Object.entries(tables).map(([name, table]) => [name, { audit: { writes: true }, ...table }]));
}

/** A map of these parts, with the hash of its text. */
function mapOf(parts: object): Intent['read'] {
  const file = { version: 1, tenant: 'fixed', ...parts };
  const reading = readMap(file);
  const text = JSON.stringify(file);
  if (!('map' in reading)) throw new Error(`The test's map is none: ${JSON.stringify(reading.faults)}`);
  return { map: reading.map, text, sha256: createHash('sha256').update(text).digest('hex') };
}

async function agreed(): Promise<void> {}
