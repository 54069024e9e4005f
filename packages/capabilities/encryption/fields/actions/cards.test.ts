import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { cardNumber, isTrack, readMap, shownOf, systemClock } from '@safekeep/core';
import { sealTexts } from '@safekeep/crypto';
import { testServers } from '@safekeep/postgres/testing';
import { applyPlan, planDatabase, unapply, type Intent } from '../../../plan/index.ts';
import { encryptedFields } from '../../contributors/encrypted-fields.ts';
import { agreed, workbench } from '../testing/workbench.ts';
import { changeIndexes } from './change-indexes.ts';
import { decryptField } from './decrypt-field.ts';
import { encryptField } from './encrypt-field.ts';
import { finishField } from './finish-field.ts';

/** Test numbers that issuers publish: they pass Luhn and belong to nobody. */
const VISA = '4111111111111111';
const AMEX = '378282246310005';
const TRACK = ';4111111111111111=25121010000000000000?';
const CARDS = `
  create table payments (id integer primary key, card text, cvv text, pin integer);
  insert into payments (id, card) values (1, '${VISA}'), (2, '3782 822463 10005'), (3, null), (4, 'old rubbish')`;

for (const server of testServers())
  for (const mode of ['client', 'database'] as const)
    test(`a card number is sealed in ${mode} mode, shown as BIN and last four, and comes back (PostgreSQL ${server.name})`, async (t) => {
      const bench = await workbench(t, { setUp: CARDS, server });
      const { ground, pool, keys } = bench;
      const before = await bench.fingerprint();
      const order = bench.order('public.payments.card', { mode, card: 'number' });
      const { field, answers } = await encryptField(ground, order, agreed);
      assert.match(JSON.stringify(answers), /card_bin and card_last4 stand beside it in the clear/);
      await finishField(ground, order.column, agreed);
      const shown = async (): Promise<unknown> =>
        (await pool.query('select id, card_bin as bin, card_last4 as last4 from payments order by id')).rows;
      const rows = [
        { id: 1, bin: '41111111', last4: '1111' },
        { id: 2, bin: '378282', last4: '0005' },
        { id: 3, bin: null, last4: null },
        { id: 4, bin: '', last4: '' },
      ];
      assert.deepEqual(await shown(), rows);

      // No whole number fits in beside the ciphertext, whoever writes it.
      for (const attack of [`card_bin = '${VISA}'`, `card_last4 = '${VISA}'`, `card_bin = '4111111'`, `card_last4 = '12345'`])
        await assert.rejects(pool.query(`update payments set ${attack} where id = 1`), /zz_safekeep_card_(bin|last4)_/);
      await assert.rejects(pool.query(`update payments set card = '${VISA}' where id = 1`), /takes no plaintext/);
      const [sealed] = await sealTexts(keys, field, [AMEX]);
      if (mode === 'client')
        await assert.rejects(
          pool.query('update payments set card_encrypted = $1 where id = 1', [sealed]),
          /written without card_bin/,
        );
      else await throughTheView(bench, field);
      // Other indexes come and go, what is shown stays.
      await assert.rejects(changeIndexes(ground, order.column, { search: ['exact'], acceptLeak: false, agree: agreed }), /too few/);
      assert.deepEqual(await shown(), rows);
      await pool.query('update payments set card_encrypted = null where id = 4');
      await decryptField(ground, order.column, agreed);
      assert.equal(await bench.fingerprint(), before);
      assert.deepEqual(
        (await pool.query('select card from payments order by id')).rows.map((row) => row.card),
        [VISA, '3782 822463 10005', null, null],
      );
    });

async function throughTheView(
  bench: Awaited<ReturnType<typeof workbench>>,
  field: Parameters<typeof bench.keys.bundle>[0],
): Promise<void> {
  const client = await bench.pool.connect();
  const attempt = async (statement: string): Promise<string> => {
    await client.query('begin');
    await client.query('select safekeep.unlock($1)', [bench.keys.bundle(field)]);
    const message = await client.query(statement).then(
      () => 'taken',
      (error: unknown) => (error instanceof Error ? error.message : ''),
    );
    if (message === 'taken') {
      const { rows } = await client.query('select card, card_bin, card_last4 from payments_decrypted where id = 9');
      assert.deepEqual(rows, [{ card: AMEX, card_bin: '378282', card_last4: '0005' }]);
    }
    await client.query('rollback');
    return message;
  };
  try {
    assert.equal(await attempt(`insert into payments_decrypted (id, card) values (9, '${AMEX}')`), 'taken');
    assert.match(await attempt(`insert into payments_decrypted (id, card) values (9, '4111111111111112')`), /card numbers only/);
    assert.match(await attempt(`update payments_decrypted set card = '${TRACK}' where id = 1`), /card numbers only/);
    assert.doesNotMatch(await attempt(`update payments set card = '4111111111111112' where id = 1`), /4111/);
  } finally {
    client.release();
  }
}

test('SQL knows card numbers, what may be shown of them, and track contents, as Node does', async (t) => {
  const { pool } = await workbench(t);
  // One in ten passes Luhn: of so many some dozens do, whatever the seed.
  const digits = fc.sample(fc.stringMatching(/^\d{11,20}$/), 1000);
  const grouped = fc.sample(fc.stringMatching(/^[\d -]{10,24}$/), 200);
  const texts = [
    VISA,
    AMEX,
    '6011 1111 1111 1117',
    '',
    ' ',
    '٤١١١١١١١١١١١١١١١',
    TRACK,
    `%B${VISA}^MEYER/ANN^2512101`,
    ` %b${VISA}^MEYER/ANN^2512101`,
    `read: ;${VISA}=2512101`,
    `\n${VISA}=2512101?`,
    `٤${VISA}=2512101`,
    `${VISA}${VISA}=2512101`,
    ...digits,
    ...grouped,
  ];
  const { rows } = await pool.query(
    `select safekeep.card_number(v) as number, safekeep.search_form('card_bin', v, 'text') as bin,
            safekeep.search_form('card_last4', v, 'text') as last4, safekeep.is_track(v) as track
       from unnest($1::text[]) with ordinality as c (v, place) order by place`,
    [texts],
  );
  assert.ok(rows.filter(({ number }) => number !== null).length > 10);
  for (const [place, text] of texts.entries())
    assert.deepEqual(
      rows[place],
      { number: cardNumber(text), bin: shownOf('card_bin', text), last4: shownOf('card_last4', text), track: isTrack(text) },
      JSON.stringify(text),
    );
});

test('no content of a magnetic stripe is sealed in SQL, in any column', async (t) => {
  const bench = await workbench(t, { setUp: 'create table notes (id integer primary key, note text)' });
  const order = bench.order('public.notes.note', { mode: 'database' });
  const { field } = await encryptField(bench.ground, order, agreed);
  await finishField(bench.ground, order.column, agreed);
  const client = await bench.pool.connect();
  try {
    await client.query('begin');
    await client.query('select safekeep.unlock($1)', [bench.keys.bundle(field)]);
    await assert.rejects(
      client.query(`insert into notes_decrypted values (1, '${TRACK}')`),
      (error) => error instanceof Error && /magnetic stripe/.test(error.message) && !error.message.includes('4111'),
    );
    await client.query('rollback');
  } finally {
    client.release();
  }
});

const SAD = 'user.financial.credit_card';

for (const server of testServers())
  test(`the database takes no verification code, PIN or track in the columns that the map calls so, by any way of writing (PostgreSQL ${server.name})`, async (t) => {
    const bench = await workbench(t, { setUp: `${CARDS}; update payments set cvv = '123' where id = 1`, server });
    const { pool, database, ground } = bench;
    const before = await bench.fingerprint();
    const file = {
      version: 1,
      tenant: 'fixed',
      tables: {
        'public.payments': {
          columns: {
            id: { category: 'none', note: 'a number' },
            card: { category: `${SAD}.number` },
            cvv: { category: `${SAD}.verification_code` },
            pin: { category: `${SAD}.pin` },
          },
        },
      },
    };
    const reading = readMap(file);
    assert.ok('map' in reading);
    const text = JSON.stringify(file);
    const sha256 = createHash('sha256').update(text).digest('hex');
    const intent: Intent = { tenant: 'default', contributors: [encryptedFields], read: { map: reading.map, text, sha256 } };
    const applying = {
      database,
      tenant: 'default',
      clock: systemClock,
      signal: ground.signal,
      observe: () => undefined,
      patience: { tries: 3, lockTimeoutMs: 500, pauseMs: 5 },
    };
    const plan = await planDatabase(database, intent);
    assert.equal(plan.steps.length, 2);
    assert.match(JSON.stringify(plan.notes), /PCI DSS 3\.3\.1.*UPDATE public\.payments SET cvv = NULL/);
    const { steps } = await applyPlan(applying, { intent, author: 'Ada', agree: agreed });
    assert.deepEqual(
      steps.map(({ id }) => id),
      ['create forbidden-column:public.payments.cvv', 'create forbidden-column:public.payments.pin'],
    );
    for (const attack of [
      `insert into payments (id, cvv) values (10, '123')`,
      `insert into payments (id, pin) values (10, 1234)`,
      `update payments set cvv = '999' where id = 2`,
      `insert into payments (id) values (2) on conflict (id) do update set cvv = '999'`,
      `merge into payments p using (values (2)) v (id) on p.id = v.id when matched then update set pin = 1`,
      `with w as (update payments set cvv = '1' where id = 3 returning 1) select * from w`,
    ])
      await assert.rejects(pool.query(attack), /safekeep_forbidden_(cvv|pin)/, attack);
    // What an application that knows of no code writes.
    await pool.query(`insert into payments (id, cvv) values (11, ''), (12, null)`);
    await assert.rejects(pool.query(`update payments set card = null where id = 1`), /safekeep_forbidden_cvv/);
    await pool.query('update payments set cvv = null where id = 1');
    assert.deepEqual((await applyPlan(applying, { intent, author: 'Ada', agree: agreed })).steps, []);
    await pool.query('delete from payments where id > 10');
    await unapply(applying, { guards: [], agree: agreed });
    assert.equal(await bench.fingerprint(), before);
  });
