import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import canonicalize from 'canonicalize';
import { openLedger } from '../../ledger/index.ts';
import type { ErasureParticipant } from '../model.ts';
import { workbench, type Workbench } from '../testing/workbench.ts';
import { replayLedger } from './replay-ledger.ts';

const PEOPLE = `
  create table public.people (id bigint primary key, email text not null unique, born text);
  insert into public.people values (1, 'ada@x.org', 'Rome'), (2, 'ben@x.org', 'Oslo'), (3, 'cy@x.org', 'Bern');`;
const PEOPLE_MAP = {
  version: 1,
  tenant: 'fixed',
  subjects: { person: { table: 'public.people', key: 'id', find_by: ['email'], label: 'email' } },
  tables: {
    'public.people': {
      columns: {
        id: { category: 'user.unique_id' },
        email: { category: 'user.contact.email' },
        born: { category: 'user.demographic' },
      },
    },
  },
};

/** After a restore: the rows are there again, and what Safekeep knew of their erasure is not. */
async function restored(t: Parameters<typeof workbench>[0]): Promise<Workbench & { readonly restore: () => Promise<void> }> {
  const bench = await workbench(t, { schema: PEOPLE, map: PEOPLE_MAP });
  const restore = async (): Promise<void> => {
    await bench.pool.query(`delete from safekeep.erasure_calls; delete from safekeep.erasures; delete from safekeep.ledger_heads;
      delete from public.people; ${PEOPLE.slice(PEOPLE.indexOf('insert'))}`);
  };
  return { ...bench, restore };
}

/** Changes lines of the newest segment and makes the chain anew, as somebody does who may write the file but has no key. */
async function forge({ folder }: Workbench, change: (lines: string[]) => string[]): Promise<void> {
  const directory = join(folder, 'ledger');
  const path = join(
    directory,
    (await readdir(directory))
      .filter((name) => name.endsWith('.ndjson'))
      .toSorted()
      .at(-1) ?? '',
  );
  let previous = '0'.repeat(64);
  const chained = change((await readFile(path, 'utf8')).trimEnd().split('\n')).map((text, place) => {
    const { entry, tag } = JSON.parse(text);
    const hashed = { entry, previous, sequence: place + 1 };
    previous = createHash('sha256')
      .update(canonicalize(hashed) ?? '')
      .digest('hex');
    return canonicalize({ ...hashed, sha256: previous, tag });
  });
  await writeFile(path, `${chained.join('\n')}\n`);
}

const replay = (bench: Workbench): ReturnType<typeof replayLedger> => replayLedger(bench.ground, { plan: false, by: 'ann' });

test('nobody is erased because of a ledger that was edited', async (t) => {
  const bench = await restored(t);
  const { hash } = await bench.plan('person:3');
  await bench.pool.query(`create function public.refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
    create trigger refuse before update on public.people for each row execute function public.refuse()`);
  await assert.rejects(bench.approve('person:3', hash), { code: 'erasure-refused' });
  await bench.pool.query('drop trigger refuse on public.people');
  await bench.restore();
  const before = await bench.rows('people');
  const change = (line: string): string => line.replace('"abandoned"', '"done"').replace(/,"reason":"[a-z-]+"/, '');
  await forge(bench, (lines) => lines.map(change));
  await assert.rejects(replay(bench), { code: 'ledger-broken', message: /tag-wrong/ });
  assert.deepEqual(await bench.rows('people'), before);
});

test('nobody is left there because of a ledger that was cut: its second copy knows better', async (t) => {
  const bench = await restored(t);
  const copyDirectory = join(bench.folder, 'copy');
  const { signer, clock } = bench.ground;
  const ledger = await openLedger({
    directory: join(bench.folder, 'ledger'),
    keyFile: join(bench.folder, 'keys', 'ledger.key'),
    copyDirectory,
    signer,
    clock,
  });
  t.after(async () => ledger.close());
  await bench.erase('person:1', 'anonymise', { ...bench.ground, ledger });
  await bench.restore();
  await forge(bench, (lines) => lines.slice(0, -2));
  await assert.rejects(replayLedger({ ...bench.ground, ledger }, { plan: true, by: 'ann' }), {
    code: 'ledger-broken',
    message: /copy-ahead/,
  });
});

test('one who cannot be planned does not keep the others there, and the answer tells how far the ledger reaches', async (t) => {
  const bench = await restored(t);
  for (const person of ['person:1', 'person:2', 'person:3']) await bench.erase(person);
  await bench.restore();
  await bench.pool
    .query(`create function public.refuse() returns trigger language plpgsql as $$ begin if old.id = 1 then raise exception 'no' using errcode = 'XX001'; end if; return new; end $$;
    create trigger refuse before update on public.people for each row execute function public.refuse()`);
  const { persons, until, otherLedgers } = await replay(bench);
  assert.deepEqual(
    persons.map(({ subject, state, error }) => [subject, state, error]),
    [
      ['person:1', 'failed', 'XX001'],
      ['person:2', 'done', null],
      ['person:3', 'done', null],
    ],
  );
  assert.deepEqual([until, otherLedgers], ['2026-11-21T10:00:00.000Z', 0]);
  assert.equal((await bench.rows('people', "email like '%@x.org'")).length, 1);
});

test('a replay that is only shown leaves no plan to approve, and a sequence is moved on whatever it is called', async (t) => {
  const bench = await restored(t);
  await bench.pool.query(`create sequence "People_Id seq" owned by people.id; select setval('"People_Id seq"', 7)`);
  const ground = await bench.refresh();
  await bench.erase('person:1', 'anonymise', ground);
  await bench.restore();
  await bench.pool.query(`delete from safekeep.erasure_plans; select setval('"People_Id seq"', 2)`);
  const shown = await replayLedger(ground, { plan: true, by: 'ann' });
  assert.deepEqual(
    shown.persons.map(({ state }) => state),
    ['planned'],
  );
  assert.equal((await bench.pool.query('select from safekeep.erasure_plans')).rowCount, 0);
  assert.deepEqual((await replayLedger(ground, { plan: false, by: 'ann' })).sequences, ['public."People_Id seq"']);
  assert.deepEqual((await bench.pool.query('select last_value::integer from "People_Id seq"')).rows, [{ last_value: 7 }]);
});

test('of more sequences than the ledger has room for the number is told: in the plan with their names, and after a restore', async (t) => {
  const bench = await restored(t);
  await bench.pool.query(
    `do $$ begin for n in 100..161 loop execute format('create sequence s%s owned by people.id', n); end loop; end $$`,
  );
  const ground = await bench.refresh();
  const { notes, hash } = await bench.plan('person:1', 'anonymise', ground);
  const [note] = notes.filter((each) => each.includes('no place for how far'));
  assert.match(note ?? '', /how far 2 sequences have come: .*\(public\.s160, public\.s161\)/);
  await bench.approve('person:1', hash, { ground });
  assert.equal((await replayLedger(ground, { plan: true, by: 'ann' })).sequencesLeft, 2);
});

test('whoever has the keys is asked for all people of a page at once, not for one after the other', async (t) => {
  const asked: number[] = [];
  const keys: ErasureParticipant = {
    name: 'keys',
    plan: async () => ({ will: [], keeps: [], externalCopies: [], blocked: [] }),
    within: async () => ({ counts: {}, keysDestroyed: [], horizon: null }),
    after: async () => undefined,
    recheck: async () => [],
    subjectKeyIds: async (_db, { people }) => {
      asked.push(people.length);
      return people.map(({ key }) => `key of ${key.join()}`);
    },
  };
  const bench = await workbench(t, { schema: PEOPLE, map: PEOPLE_MAP, ports: { participants: [keys] } });
  await bench.erase('person:2');
  await bench.pool.query(`delete from safekeep.erasure_calls; delete from safekeep.erasures; delete from safekeep.ledger_heads;
    insert into public.people select n, 'new-' || n || '@x.org', 'Rome' from generate_series(4, 2500) as n`);
  asked.length = 0;
  const { persons } = await replayLedger(bench.ground, { plan: true, by: 'ann' });
  assert.deepEqual(
    persons.map(({ subject, doubt }) => [subject, doubt]),
    [['person:2', null]],
    'by the id of their key: the masks say nothing',
  );
  assert.deepEqual(asked, [2000, 500]);
});
