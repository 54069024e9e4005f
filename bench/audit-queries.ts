import { Secret } from '@safekeep/core';
import { signingKeyFromPem } from '@safekeep/crypto';
import { auditKeys, proveEvent, recordHistory, searchEvents, subjectHistory } from '@safekeep/capabilities/audit';
import { openDatabase, type Database } from '@safekeep/postgres';
import { defineBench, type ContenderContext, type Prepared } from './measure/bench.ts';
import { stageLog, type LogFixture } from './postgres/audited-log.ts';
import { fileRing } from './postgres/file-ring.ts';

/** Questions of a run. */
const QUESTIONS = 500;
const TENANT = 'default';
/** Steps through all people or events without coming back early: a prime. */
const STRIDE = 7919;

type Ask = (database: Database, question: number) => Promise<number>;

function asking(make: (fixture: LogFixture, database: Database) => Promise<Ask>) {
  return async ({ fixture }: ContenderContext<LogFixture>): Promise<Prepared> => {
    const database = await openDatabase(new Secret(fixture.url), { poolMax: 2, applicationName: 'bench audit-queries' });
    const ask = await make(fixture, database);
    let question = 0;
    return {
      run: async () => {
        const times: number[] = [];
        for (let asked = 0; asked < QUESTIONS; asked += 1) {
          question += STRIDE;
          const started = performance.now();
          const found = await ask(database, question);
          times.push(performance.now() - started);
          if (found === 0) throw new Error('Nothing was found');
        }
        times.sort((a, b) => a - b);
        const at = (share: number): number => times[Math.floor(times.length * share)] ?? Number.NaN;
        return { units: QUESTIONS, extra: { medianMs: at(0.5), p95Ms: at(0.95) } };
      },
      close: database.close,
    };
  };
}

const proof = asking(async ({ signingKey, events }) => {
  const { verifierKey } = signingKeyFromPem(signingKey, 'safekeep');
  return async (database, question) =>
    (await proveEvent(database, { tenant: TENANT, verifierKey }, String(question % events))).length;
});

const record = asking(async ({ home, people }, opened) => {
  const { subjectKeys: keys } = await auditKeys(home, fileRing(opened, home));
  return async (database, question) => {
    const row = { table: 'public.patients', record: String((question % people) + 1) };
    return (await recordHistory(database, { tenant: TENANT, keys }, row, { limit: 100 })).events.length;
  };
});

const subject = asking(
  async ({ people }) =>
    async (database, question) =>
      (await subjectHistory(database, TENANT, `patient:${(question % people) + 1}`, { limit: 100 })).events.length,
);

const newest = asking(
  async () => async (database) => (await searchEvents(database, TENANT, { kind: 'change' }, { limit: 100 })).events.length,
);

const p95 = (contender: string, source: string) => ({
  contender,
  measure: 'extra.p95Ms' as const,
  relation: 'at-most' as const,
  bound: 5,
  source,
});

export const bench = defineBench<LogFixture>({
  question:
    'How soon are questions about the log answered: a proof, the history of a row with opened values, of a person, the newest page?',
  unit: 'questions',
  sizes: { small: 50_000, medium: 1_000_000, large: 10_000_000 },
  runs: 5,
  stage: ({ size }) => stageLog(size),
  contenders: [
    { name: 'proof', kind: 'ours', prepare: proof },
    { name: 'record history', kind: 'ours', prepare: record },
    { name: 'subject history', kind: 'ours', prepare: subject },
    { name: 'newest page', kind: 'ours', prepare: newest },
  ],
  limits: [
    p95('proof', 'issue 7: inclusion proof < 5 ms'),
    p95('record history', 'issue 7: histories p95 < 5 ms'),
    p95('subject history', 'issue 7: histories p95 < 5 ms'),
  ],
});
