import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { safekeep, temporaryHome, type Ended } from 'safekeep/testing';

/** Anything that runs a function at the end of a test: the context of node:test. */
type Ending = { readonly after: (run: () => Promise<void>) => void };

/** The steps after which something is left to interrupt. */
const STEPS = [
  'database',
  'schema',
  'import',
  'scan',
  'map',
  'apply',
  'encrypt',
  'work',
  'export',
  'erase',
  'proof',
  'log',
] as const;

type Interruption = {
  readonly signal: 'SIGKILL' | 'SIGINT';
  /** How long after a step has told that it is done, by its place: in the middle of the next one. */
  readonly afterMs: (place: number) => number;
  /** Without it the sample practice. */
  readonly file?: string;
};

/** Starts the main job again and again, interrupts it in each of its steps once, and lets it come to its end at last. */
export async function interruptEverywhere(t: Ending, { signal, afterMs, file }: Interruption) {
  const folder = await temporaryHome(t);
  // The home itself, so that a server that a killed job left behind is stopped with it.
  const home = await temporaryHome(t);
  const place = ['--home', home, '--map', join(folder, 'datamap.yaml'), '--json'];
  const source = file === undefined ? [] : ['--sqlite', file, '--erase', 'customer:1'];
  let interrupted = 0;
  for (const [index, step] of STEPS.entries()) {
    const ended = await runUntil(['demo', ...source, ...place], step, { signal, afterMs: afterMs(index) });
    // A step may be over before the signal comes; then the job has come to its end, and well: at most its process is still going.
    if (ended.code === 0 || /^doctor /m.test(ended.stderr)) continue;
    interrupted += 1;
    if (signal === 'SIGINT') {
      assert.equal(ended.code, 130, ended.stderr);
      assert.match(ended.stderr, /error interrupted/, `what stands is told: ${ended.stderr}`);
    }
  }
  assert.ok(interrupted > STEPS.length / 2, `${interrupted} interruptions`);
  const call = async <Result>(...args: string[]): Promise<Result> => {
    const { code, stdout, stderr } = await safekeep([...args, ...place]);
    assert.equal(code, 0, `${args.join(' ')}: ${stderr}${stdout}`);
    // Whoever calls names what the command's own schema declares.
    return JSON.parse(stdout) as Result;
  };
  return { call, last: await call<{ readonly files: Readonly<Record<string, string>> }>('demo', ...source) };
}

function runUntil(
  args: readonly string[],
  step: string,
  { signal, afterMs }: { signal: NodeJS.Signals; afterMs: number },
): Promise<Ended> {
  const told = new RegExp(`^${step} `, 'm');
  let sent = false;
  return safekeep(args, {
    onStderr: (text, kill) => {
      if (sent || !told.test(text)) return;
      sent = true;
      setTimeout(() => kill(signal), afterMs);
    },
  });
}

type Interrupted = Awaited<ReturnType<typeof interruptEverywhere>>;

/** What must be so whatever was interrupted where; `rows` is what the source has. */
export async function assertWhole({ call, last }: Interrupted, rows: ReadonlyMap<string, number>): Promise<void> {
  const { runs } = await call<{ readonly runs: readonly { readonly state: string }[] }>('import', 'list');
  assert.equal(runs.filter(({ state }) => state === 'done').length, 1, 'one import stands');
  // Each of them exits 1, which `call` refuses, where it is not so.
  await call('status');
  await call('audit', 'verify');
  await call('ledger', 'verify');
  const { certificate = '' } = last.files;
  const { text } = await call<{ readonly text: string }>('audit', 'vkey');
  await call('certificate', 'verify', certificate, '--vkey', text.trim());
  const { url } = await call<{ readonly url: string }>('url');
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const [table, count] of rows) {
      const { rows: counted } = await client.query(`select count(*)::integer as n from public.${table}`);
      assert.deepEqual(counted, [{ n: count }], `${table} has the rows of its source, those of the erased masked`);
    }
    const { rows: left } = await client.query(
      `select nspname from pg_namespace where nspname !~ '^(pg_|information_schema|public$|safekeep$|safekeep_jobs$|safekeep_kept)'`,
    );
    assert.deepEqual(left, [], 'no half-loaded schema was left');
    // Whoever is named is erased again by each run that comes so far; none of these may be left open.
    const { rows: erased } = await client.query(
      `select count(*) > 0 as some, count(*) filter (where state <> 'done')::integer as open from safekeep.erasures`,
    );
    assert.deepEqual(erased, [{ some: true, open: 0 }]);
  } finally {
    await client.end();
  }
  await call('stop');
}

/** A shop with customers whose cards are to be encrypted, small enough to begin a dozen times. */
export function makeShop(path: string): ReadonlyMap<string, number> {
  const database = new DatabaseSync(path);
  database.exec(`CREATE TABLE customers (id INTEGER PRIMARY KEY, full_name TEXT NOT NULL, email TEXT, phone TEXT, ssn TEXT);
    WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 3000)
      INSERT INTO customers SELECT n, 'Customer ' || n, 'c' || n || '@example.org', '(212) 555-' || (1000 + n), '536-90-' || (1000 + n) FROM n;
    CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers (id), note TEXT);
    WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 20000) INSERT INTO orders SELECT n, 1 + n % 3000, 'order ' || n FROM n`);
  database.close();
  return new Map([
    ['customers', 3000],
    ['orders', 20_000],
  ]);
}
