import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSafekeepError } from '@safekeep/core';
import { chooseIndex } from './choose-index.ts';
import { frequencyAttack, type Frequency } from './frequency.ts';
import { indexLength } from './index-length.ts';
import { mayFollow, phases } from './life.ts';
import { batchPages, isBusy, PageWalk, pauseMs } from './pace.ts';
import { mentionsColumn, triggerAnswers } from './sources.ts';
import { residueOf } from './residue.ts';

/** A generator that gives the same numbers every time (Mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

test('every length that is chosen satisfies both rules, for the column and over all indexes of the row', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5_000_000 }), fc.double({ min: 0.0001, max: 1, noNaN: true }), (rows, share) => {
      const distinct = Math.max(1, Math.floor(rows * share));
      const first = indexLength({ rows, distinct }, []);
      if ('refusal' in first) return;
      const { bits } = first;
      assert.ok(Math.sqrt(distinct) < 2 ** bits && 2 ** bits < distinct / 2);
      const alike = rows / 2 ** Math.min(bits, Math.log2(distinct));
      assert.ok(alike >= 2 && alike <= Math.sqrt(rows));
      const second = indexLength({ rows, distinct }, [{ bits, distinct }]);
      if ('refusal' in second) return;
      const sum = Math.min(bits, Math.log2(distinct)) + Math.min(second.bits, Math.log2(distinct));
      assert.ok(rows / 2 ** sum >= 2, 'both indexes together leave two rows alike');
    }),
  );
});

test('columns of few values are refused, and large ones get an index that finds few others', () => {
  assert.match(JSON.stringify(indexLength({ rows: 100_000, distinct: 2 }, [])), /too few to hide one among others/);
  assert.match(JSON.stringify(indexLength({ rows: 100_000, distinct: 16 }, [])), /too few/);
  assert.match(
    JSON.stringify(indexLength({ rows: 59, distinct: 59 }, [{ bits: 4, distinct: 59 }])),
    /together the indexes would name single rows/,
  );
  assert.deepEqual(indexLength({ rows: 1_000_000, distinct: 1_000_000 }, []), { bits: 18 });
});

test('a frequency attack gains nothing on values that occur alike, and much on a few that stand out', () => {
  assert.ok(frequencyAttack([{ rows: 1, times: 59 }], 4).gain < 0.001);
  assert.ok(frequencyAttack([{ rows: 1, times: 50_000 }], 14).gain < 0.001);
  // Surnames and towns: some are so common that their bucket shows.
  const skewed = frequencyAttack(
    [
      { rows: 5_000, times: 1 },
      { rows: 4_000, times: 1 },
      { rows: 3_000, times: 1 },
      { rows: 1, times: 3_000 },
    ],
    8,
  );
  assert.ok(skewed.gain > 0.3 && skewed.attack <= 1, `${skewed.gain}`);
  assert.deepEqual(frequencyAttack([], 4), { guessing: 0, attack: 0, gain: 0 });
  const told = frequencyAttack(
    [
      { rows: 1_000_000, times: 2 },
      { rows: 1, times: 1_000 },
    ],
    6,
  );
  assert.ok(told.attack > 0.99, 'so many rows are no other value');
});

/** Values whose commonness falls by a law of Zipf's kind. */
function zipf(exponent: number, values: number, rows: number): readonly number[] {
  const weights = Array.from({ length: values }, (_, rank) => (rank + 1) ** -exponent);
  const total = weights.reduce((sum, each) => sum + each, 0);
  return weights.map((weight) => Math.max(1, Math.round((rows * weight) / total)));
}

function frequenciesIn(counts: readonly number[]): readonly Frequency[] {
  return [...Map.groupBy(counts, (rows) => rows)].map(([rows, each]) => ({ rows, times: each.length }));
}

/** The attack played: of each count the guess that was best under other keys, tried on keys unseen. */
function played(counts: readonly number[], bits: number, random: () => number): number {
  const buckets = 2 ** bits;
  const draw = () => {
    const rowsIn = new Float64Array(buckets);
    const placed = counts.map((rows) => {
      const bucket = Math.floor(random() * buckets);
      rowsIn[bucket] = (rowsIn[bucket] ?? 0) + rows;
      return bucket;
    });
    return { rowsIn, placed };
  };
  const seen = new Map<number, number>();
  for (let key = 0; key < 400; key += 1) for (const rows of draw().rowsIn) seen.set(rows, (seen.get(rows) ?? 0) + 1);
  const kinds = [...new Set(counts)];
  const guessFor = (inBucket: number): number => {
    const [best] = kinds.toSorted(
      (one, other) => other * (seen.get(inBucket - other) ?? 0) - one * (seen.get(inBucket - one) ?? 0),
    );
    return counts.indexOf(best ?? 0);
  };
  const guesses = new Map<number, number>();
  let named = 0;
  for (let key = 0; key < 100; key += 1) {
    const { rowsIn, placed } = draw();
    for (const [bucket, rows] of rowsIn.entries()) {
      const guess = guesses.get(rows) ?? guessFor(rows);
      guesses.set(rows, guess);
      if (placed[guess] === bucket) named += counts[guess] ?? 0;
    }
  }
  return named / 100 / counts.reduce((sum, each) => sum + each, 0);
}

test('what a frequency attack is said to name is what it names when it is played', () => {
  for (const [exponent, values, rows, bits] of [
    [0.4, 300, 8_000, 7],
    [0.3, 300, 8_000, 7],
    [0.8, 600, 12_000, 8],
  ] as const) {
    const counts = zipf(exponent, values, rows);
    const { attack } = frequencyAttack(frequenciesIn(counts), bits);
    const real = played(counts, bits, seeded(values));
    assert.ok(Math.abs(attack - real) < 0.15 * real, `${exponent}: said ${attack}, played ${real}`);
  }
});

test('an index is made as long as tells little enough, and several of one column are judged together', () => {
  const counts = frequenciesIn(zipf(0.4, 3_000, 50_000));
  const choice = { name: 'public.t.c', kind: 'exact', beside: [], acceptLeak: false } as const;
  const alone = chooseIndex(counts, choice);
  const { bits: longest } = chooseIndex(counts, { ...choice, acceptLeak: true });
  assert.ok(alone.bits < longest && alone.attackGain <= 0.01, `${alone.bits} of ${longest} bits, ${alone.attackGain}`);
  const together = { indexes: [{ kind: 'last4', bits: 8 } as const], values: counts };
  assert.throws(
    () => chooseIndex(counts, { ...choice, together }),
    (error: unknown) => isSafekeepError(error, 'field-search-unsafe') && /other indexes of the column/.test(error.message),
  );
  assert.throws(
    () => chooseIndex(frequenciesIn(zipf(1, 600, 20_000)), choice),
    (error: unknown) => isSafekeepError(error, 'field-search-unsafe') && /instead of .* by guessing/.test(error.message),
  );
});

test('a field goes in one phase at a time, and back from anywhere', () => {
  for (const [place, from] of phases.entries())
    for (const [other, to] of phases.entries()) {
      assert.equal(mayFollow(from, to, 'in'), other === place + 1);
      assert.equal(mayFollow(from, to, 'out'), other < place);
    }
});

test('the pages of a table are handed out once each, and what is done is known below the first that is not', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 500 }),
      fc.integer({ min: 1, max: 60 }),
      fc.infiniteStream(fc.boolean()),
      (pages, step, turns) => {
        const walk = new PageWalk({ from: 0, to: pages }, step);
        const open: { readonly from: number; readonly to: number }[] = [];
        let covered = 0;
        let low = 0;
        for (;;) {
          const range = open.length < 3 && turns.next().value === true ? walk.take() : undefined;
          if (range !== undefined) {
            assert.equal(range.from, covered);
            covered = range.to;
            open.push(range);
            continue;
          }
          const [done] = open.splice(turns.next().value === true ? open.length - 1 : 0, 1);
          if (done === undefined) {
            const next = walk.take();
            if (next === undefined) break;
            covered = next.to;
            open.push(next);
            continue;
          }
          low = walk.finish(done);
          for (const { from } of open) assert.ok(low <= from);
        }
        assert.equal(covered, pages);
        assert.equal(low, pages === 0 ? 0 : pages);
      },
    ),
  );
  assert.equal(batchPages({ pages: 0, rows: 0 }), 64);
  assert.equal(batchPages({ pages: 10_000, rows: 1_000_000 }), 50);
  assert.equal(batchPages({ pages: 10_000, rows: 1_000_000 }, 2), 25, 'as many values');
  assert.equal(batchPages({ pages: 10_000, rows: 1_000_000 }, 12), 10, 'and no fewer rows than a thousand');
});

test('a server that is slow or whose replica is behind is left alone for a while', () => {
  assert.equal(pauseMs({ tookMs: 100, rows: 10, quickestRowMs: 9, lag: null, busy: false }), 0);
  assert.equal(pauseMs({ tookMs: 900, rows: 10, quickestRowMs: 9, lag: { seconds: 0.1, bytes: 1_000 }, busy: false }), 900);
  assert.equal(pauseMs({ tookMs: 100, rows: 10, quickestRowMs: 9, lag: { seconds: 60, bytes: 1_000 }, busy: false }), 1_000);
  assert.equal(pauseMs({ tookMs: 100, rows: 10, quickestRowMs: 9, lag: null, busy: true }), 200);
  assert.equal(pauseMs({ tookMs: 9_000, rows: 10, quickestRowMs: 9, lag: null, busy: true }), 1_000);
  assert.equal(isBusy({ count: 100, atMs: 0 }, { count: 110, atMs: 1_000 }), false, 'our own batches');
  assert.equal(isBusy({ count: 100, atMs: 0 }, { count: 1_100, atMs: 2_000 }), true);
  assert.equal(isBusy({ count: 100, atMs: 5 }, { count: 900, atMs: 5 }), false);
  // It has stopped replaying, and of the time nothing new is heard.
  assert.equal(pauseMs({ tookMs: 100, rows: 10, quickestRowMs: 9, lag: { seconds: null, bytes: 2 ** 30 }, busy: false }), 1_000);
});

test('a function counts as a reader of a column when its source names table and column as words', () => {
  assert.equal(mentionsColumn('select email from people', 'people', 'email'), true);
  assert.equal(mentionsColumn('select "E-mail" from "People"', 'People', 'E-mail'), true);
  assert.equal(mentionsColumn('select emails from people', 'people', 'email'), false);
});

test('the residue names replicas, slots and archives only where there are some, and the log always', () => {
  const none = residueOf({ replicas: 0, slots: [], archiving: false, deadRows: 0, statistics: false, audited: false }).join('\n');
  assert.match(none, /write-ahead log/);
  assert.doesNotMatch(none, /replica|slot|archived|pg_stats/);
  const all = residueOf({ replicas: 2, slots: ['cdc'], archiving: true, deadRows: 12, statistics: true, audited: true }).join('\n');
  assert.match(all, /2 replica[^]*cdc/);
  assert.match(all, /archived/);
  assert.match(all, /pg_stats/);
  assert.match(all, /12 dead rows/);
});

test('what a trigger does with rows and with the column is known by the words of its source', () => {
  const told = (source: string, column = 'email'): readonly string[] =>
    triggerAnswers({ name: 't', source, transitionTables: ['gone'] }, { column }).map(({ object }) => object);
  const copies = [
    'insert into h select old.*;',
    'INSERT INTO h VALUES (now(), (NEW).*);',
    'execute $q$insert into h select ($1).*$q$ using old',
    'insert into h select x, g.* from gone g',
    "insert into h (id, at) values (f(':('), row(new.*));",
    "insert into h values ('f(', new.*);",
    'insert into h (select to_jsonb(old.*), new.*)',
    'insert into h select s.* from (select new.*) s',
    `execute format('insert into %I values (($1).*)', tg_table_name) using new`,
  ];
  for (const source of copies) assert.deepEqual(told(source), ['trigger t'], source);
  const gives = [
    'begin new.email = lower(new.email); end',
    'if x then NEW.Email := 1; end if',
    'select 1 into new.email',
    'begin new."email" := 2; end',
  ];
  for (const source of gives) assert.deepEqual(told(source), ['value given by trigger t'], source);
  assert.deepEqual(told('begin new."Email" := 2; end', 'Email'), ['value given by trigger t']);
  for (const value of [
    'to_jsonb(old)',
    'row_to_json(new.*)',
    'hstore((old).*)',
    `jsonb_build_object('at', f(1), 'row', new.*)`,
    'ext."Of"(new.*)',
  ])
    assert.deepEqual(told(`insert into h (data) values (${value}); return old;`), ['rows copied by trigger t'], value);
  for (const source of [
    'if old.* is distinct from new.* then return new; end if;',
    '-- insert into h select old.*\n return new;',
    'insert into h values (old.id); perform f(new.id, 3); select * from other;',
    'if new.email = old.email then new.town := 1; end if; return old;',
    'begin new."Email" := 2; end',
  ])
    assert.deepEqual(told(source), [], source);
});
