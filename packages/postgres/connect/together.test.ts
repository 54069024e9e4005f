import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testDatabase, testServers } from '../testing/index.ts';
import { together } from './together.ts';

for (const server of testServers()) {
  const on = `on PostgreSQL ${server.name}`;

  test(`statements that are sent together are answered in their order, and the connection is as before ${on}`, async (t) => {
    const { pool } = await testDatabase(t, { server });
    const client = await pool.connect();
    try {
      const ask = (value: number) => async () => (await client.query<{ n: number }>('select $1::integer as n', [value])).rows[0]?.n;
      assert.deepEqual(await together(client, [ask(1), async () => 'nothing to ask', ask(3)]), [1, 'nothing to ask', 3]);
      assert.deepEqual(await together(client, []), []);
      assert.equal(client.pipeline, false);
      await client.query('begin');
      await client.query('declare c cursor for select generate_series(1, 3)');
      assert.equal((await client.query('fetch 2 from c')).rowCount, 2);
      await client.query('rollback');
    } finally {
      client.release();
    }
  });

  test(`they go the way to the server once ${on}`, async (t) => {
    const { pool } = await testDatabase(t, { server });
    const client = await pool.connect();
    try {
      const order: string[] = [];
      const ask = (name: string) => async () => {
        order.push(`sent ${name}`);
        await client.query('select 1');
        order.push(`answered ${name}`);
      };
      await together(client, [ask('a'), ask('b'), ask('c')]);
      assert.deepEqual(order, ['sent a', 'sent b', 'sent c', 'answered a', 'answered b', 'answered c']);
    } finally {
      client.release();
    }
  });

  test(`what failed first is thrown, when all have been answered, and nothing is left in the line ${on}`, async (t) => {
    const { pool } = await testDatabase(t, { server });
    const client = await pool.connect();
    try {
      await client.query('begin');
      const ask = (text: string) => async () => (await client.query(text)).rowCount;
      await assert.rejects(together(client, [ask('select 1'), ask('select 1/0'), ask('select 1'), ask('select nowhere')]), {
        code: '22012',
      });
      await client.query('rollback');
      assert.deepEqual(await together(client, [ask('select 1')]), [1]);
      await assert.rejects(
        together(client, [async () => await Promise.reject(new Error('not of the server')), ask('select 1')]),
        /not of the server/,
      );
      assert.equal((await client.query('select 1')).rowCount, 1);
    } finally {
      client.release();
    }
  });
}
