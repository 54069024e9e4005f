import pg from 'pg';
import { Secret } from '@safekeep/core';
import { signingKeyFromPem } from '@safekeep/crypto';
import { auditKeys, baselineHeads, keptCheckpoints, verifyDatabase } from '@safekeep/capabilities/audit';
import { openDatabase } from '@safekeep/postgres';
import { defineBench, type ContenderContext, type Prepared } from './measure/bench.ts';
import { stageLog, type LogFixture } from './postgres/audited-log.ts';
import { fileRing } from './postgres/file-ring.ts';

async function verifying({ fixture }: ContenderContext<LogFixture>): Promise<Prepared> {
  const database = await openDatabase(new Secret(fixture.url), { poolMax: 1, applicationName: 'bench audit-verify' });
  const { pseudonymOf, markOf } = await auditKeys(fixture.home, fileRing(database, fixture.home));
  const { verifierKey } = signingKeyFromPem(fixture.signingKey, 'safekeep');
  const outside = await keptCheckpoints(fixture.home, 'default');
  return {
    run: async () => {
      const { ok, checked, faults } = await verifyDatabase(database, {
        tenant: 'default',
        verifierKey,
        outside,
        owners: new Map(),
        heads: baselineHeads(fixture.home),
        cosigned: [],
        wanted: ['public.patients'],
        full: false,
        pseudonymOf,
        markOf,
        valuesOf: async () => new Map(),
        signal: new AbortController().signal,
        progress: () => undefined,
      });
      if (!ok || checked !== fixture.events) throw new Error(`${checked} checked: ${JSON.stringify(faults.slice(0, 3))}`);
      return { units: checked };
    },
    close: database.close,
  };
}

/** Nothing can be verified without reading it: what the leaves are made of, by the bare driver. */
async function reading({ fixture }: ContenderContext<LogFixture>): Promise<Prepared> {
  const pool = new pg.Pool({ connectionString: fixture.url, max: 1, idleTimeoutMillis: 0, application_name: 'bench audit-read' });
  return {
    run: async () => {
      let units = 0;
      for (let from = 0; ; from += 5000) {
        const { rowCount } = await pool.query(
          `select id, at, sequenced_at, kind, action, table_name, columns, actor_pseudonym, attribution, commitments from safekeep.audit_events
            where tenant_id = 'default' and era = 1 and leaf_index >= $1 and leaf_index < $1 + 5000 order by leaf_index`,
          [from],
        );
        units += rowCount ?? 0;
        if ((rowCount ?? 0) < 5000) return { units };
      }
    },
    close: () => pool.end(),
  };
}

export const bench = defineBench<LogFixture>({
  question: 'How long does it take to verify the whole log (every entry, the tree, the checkpoints and the capture)?',
  unit: 'events',
  sizes: { small: 50_000, medium: 1_000_000, large: 10_000_000 },
  runs: 5,
  runLimitSeconds: 3600,
  stage: ({ size }) => stageLog(size),
  contenders: [
    { name: 'audit verify', kind: 'ours', isolate: true, prepare: verifying },
    { name: 'reading alone', kind: 'limit', isolate: true, prepare: reading },
  ],
  limits: [
    {
      contender: 'audit verify',
      measure: 'seconds',
      relation: 'at-most',
      bound: 30,
      scales: ['medium'],
      source: 'issue 7: 1 M events verified in < 30 s',
    },
  ],
});
