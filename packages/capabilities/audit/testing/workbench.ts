import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@safekeep/core';
import { createSigningKey, signingKeyFromPem } from '@safekeep/crypto';
import { openLog } from '@safekeep/log';
import type { TestServer } from '@safekeep/postgres/testing';
import { workbench as planned, type TableTexts, type Workbench as Planned } from '../../plan/testing/workbench.ts';
import { sequence, type SequencerGround } from '../actions/sequence.ts';
import { auditCapture } from '../contributors/capture.ts';
import { lastCheckpoint } from '../files/last-checkpoint.ts';
import { openAuditKeys } from '../keys/key-file.ts';
import type { EventRow, Sequenced } from '../model.ts';
import { blobContext, readSealed } from '../rules/leaf.ts';
import { EVENT_COLUMNS } from '../store/events.ts';

type Ending = { readonly after: (run: () => Promise<void>) => void };

export type Workbench = Planned & {
  readonly home: string;
  readonly sequencer: SequencerGround;
  /** Brings the map onto the database: what these tables say beside `audit: { writes: true }`. */
  readonly capture: (tables: TableTexts, parts?: object) => Promise<void>;
  readonly sequence: (options?: Partial<SequencerGround>) => Promise<Sequenced>;
  /** All events of the default tenant in the order of the tree. */
  readonly events: () => Promise<readonly EventRow[]>;
  /** What the blobs of an event say, those that can be opened. */
  readonly opened: (event: EventRow) => Promise<readonly Blob[]>;
};

type Blob = { readonly record: string | null; readonly subject?: string; readonly old?: object; readonly new?: object };

export async function workbench(
  t: Ending,
  options: { readonly setUp?: string; readonly server?: TestServer } = {},
): Promise<Workbench> {
  const bench = await planned(t, options);
  const home = await mkdtemp(join(tmpdir(), 'safekeep-audit-'));
  t.after(() => rm(home, { recursive: true, force: true }));
  const keys = await openAuditKeys(home);
  const log = openLog({ directory: join(home, 'log'), level: 'info', clock: systemClock, component: 'test', environment: {} });
  t.after(async () => log.close());
  const sequencer: SequencerGround = {
    database: bench.database,
    keys,
    signer: signingKeyFromPem(createSigningKey(), 'safekeep-test'),
    last: lastCheckpoint(home),
    clock: systemClock,
    log,
  };
  return {
    ...bench,
    home,
    sequencer,
    capture: async (tables, parts = {}) => {
      const audited = Object.fromEntries(
        Object.entries(tables).map(([name, table]) => [name, { audit: { writes: true }, ...table }]),
      );
      await bench.apply(bench.intent(audited, [auditCapture], parts));
    },
    sequence: (more = {}) => sequence({ ...sequencer, ...more }),
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
        return [JSON.parse(key.open(bytes, blobContext(event, place)).toString('utf8')) as Blob];
      });
    },
  };
}
