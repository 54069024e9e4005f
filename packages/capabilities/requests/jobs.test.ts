import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { Secret } from '@safekeep/core';
import { openLog } from '@safekeep/log';
import { openDatabase } from '@safekeep/postgres';
import { enqueue, prepareJobs, showJob, startWorker, type JobView } from '../jobs/index.ts';
import { requestJobs } from './jobs.ts';
import { workbench } from './testing/workbench.ts';

const none = { category: 'none' };
const MAP = {
  version: 1,
  tenant: 'fixed',
  subjects: { person: { table: 'public.people', key: 'id', find_by: ['name'], label: 'name' } },
  tables: {
    'public.people': { columns: { id: none, name: { category: 'user.name' } } },
    'public.invoices': {
      of: { person: 'person_id' },
      on_erasure: { keep: 'legal_obligation', until: 'issued_on + 10y' },
      columns: { id: none, person_id: none, payer: { category: 'user.name' }, issued_on: none },
    },
  },
};

test('every morning a worker, with its own login, tells how many erasures are due, dates those that had no day, and erases nobody', async (t) => {
  const bench = await workbench(t, {
    schema: `create table people (id bigint primary key, name text not null);
      create table invoices (id bigint primary key, person_id bigint not null, payer text, issued_on date);
      insert into people select n, 'Person ' || n from generate_series(1, 3) as n;
      insert into invoices values (1, 1, 'Person 1', '2017-01-31'), (2, 2, 'Person 2', null), (3, 3, 'Person 3', null)`,
    map: MAP,
  });
  for (const person of [1, 2, 3]) assert.equal((await bench.erase(`person:${person}`)).state, 'kept');
  await bench.pool.query(`update invoices set issued_on = '2019-02-03' where id = 2; delete from people where id = 3`);
  bench.clock.set('2027-02-01T00:00:00Z');
  const map = join(bench.folder, 'datamap.yaml');
  await writeFile(map, JSON.stringify(MAP));
  const kind = requestJobs.find((each) => each.kind === 'erasures-due') ?? assert.fail('there is no such job');
  await prepareJobs(bench.database);
  const login = `test_login_${randomUUID().slice(0, 8)}`;
  await bench.pool.query(`create role ${login} login password 'x' in role safekeep_app`);
  const url = new URL(bench.url.reveal());
  [url.username, url.password] = [login, 'x'];
  const bound = await openDatabase(new Secret(url.href));
  const directory = join(bench.folder, 'log');
  const log = openLog({ directory, level: 'info', clock: bench.clock, component: 'worker', environment: {} });
  const worker = await startWorker({ database: bound, kinds: [kind], clock: bench.clock, log });
  const run = async (): Promise<JobView> => {
    const { id } = await enqueue(bench.database, kind, { map }, { tenant: 'default' });
    for (;;) {
      const view = await showJob(bench.database, 'default', id);
      if (view.finishedAt !== null) return view;
      await wait(20);
    }
  };
  const before = await bench.rows('invoices');
  try {
    const blind = await run();
    assert.deepEqual([blind.state, blind.result], ['done', { due: 1, next: null, undated: 2, failed: 2 }]);
    await bench.pool.query(`grant select on people, invoices to ${login}`);
    const { result } = await run();
    assert.deepEqual(result, { due: 1, next: '2029-02-03T00:00:00.000Z', undated: 1, failed: 1 });
  } finally {
    await worker.drain();
    await bound.close();
    log.close();
    await bench.pool.query(`drop owned by ${login}; drop role ${login}`);
  }
  assert.deepEqual(await bench.rows('invoices'), before);
  const lines = (await Promise.all((await readdir(directory)).map((name) => readFile(join(directory, name), 'utf8')))).join('');
  assert.match(lines, /"erasures-due"/);
  assert.doesNotMatch(lines, /Person/);
});
