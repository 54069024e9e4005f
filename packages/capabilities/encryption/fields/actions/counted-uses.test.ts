import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldKeySource } from '../../actions/field-key-source.ts';
import { addFieldUsage } from '../../store/keys.ts';
import { workbench as keysBench } from '../../testing/workbench.ts';
import { agreed, workbench } from '../testing/workbench.ts';
import { encryptField } from './encrypt-field.ts';
import { fieldKeys } from './field-keys.ts';

test('what a client sealed is counted whole, also where it is more than the database takes in one call', async (t) => {
  const { pool, database, ring, inTenant } = await keysBench(t);
  await pool.query('create table people (id integer primary key, email text)');
  const { order, ground } = await workbench(t);
  await encryptField(
    { ...ground, database, keys: fieldKeys(fieldKeySource(ring())) },
    order('public.people.email', { search: [] }),
    agreed,
  );
  const { rows } = await pool.query<{ id: Buffer; uses: string }>(
    `select key_id as id, usage_count::text as uses from safekeep.encryption_keys where key_purpose = 'data' and scope like 'field.%'`,
  );
  const [key] = rows;
  assert.ok(key);
  const uses = 2 ** 25 + 7;
  await inTenant((client) => addFieldUsage(client, 'default', [{ keyId: key.id, uses }]));
  const { rows: after } = await pool.query('select usage_count::text as uses from safekeep.encryption_keys where key_id = $1', [
    key.id,
  ]);
  assert.deepEqual(after, [{ uses: `${Number(key.uses) + uses}` }]);
});
