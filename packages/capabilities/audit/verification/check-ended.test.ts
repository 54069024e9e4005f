import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { endCaptures } from '../actions/end-captures.ts';
import { endAllBaselines } from '../actions/take-baselines.ts';
import { sequence } from '../actions/sequence.ts';
import { workbench } from '../testing/workbench.ts';

const plain = { category: 'none', note: 'looked at' };
const TABLE = 'public.things';
const MAP = { [TABLE]: { of: 'none', columns: { id: plain, v: plain } } };
const GONE = [`trigger-missing The map wants ${TABLE} in the log, the log has events of it, and nothing captures it any more.`];
/** As a superuser takes capture away who knows where it is written down. */
const BY_HAND = `delete from safekeep.audit_captures; do $$ declare t record; begin
  for t in select tgname from pg_trigger where tgrelid = 'things'::regclass and not tgisinternal loop execute format('drop trigger %I on things', t.tgname); end loop; end $$`;
/** Writes the `capture-ended` events of the home a second time, as any login of the application can: a replay, which must prove nothing. */
const REPLAYED = `begin; set local role safekeep_app; set local safekeep.tenant = 'default';
  select safekeep.record_audit_event(gen_random_uuid(), kind, action, null, table_name, null, details) from safekeep.audit_events where action = 'capture-ended'; commit`;

async function bench(t: TestContext) {
  const made = await workbench(t, { setUp: 'create table things (id integer primary key, v text)', baselines: true });
  await made.capture(MAP);
  await made.pool.query(`insert into things values (1, 'a')`);
  await made.sequence();
  const { pool, sequencer } = made;
  /** As the command does it. */
  const unapply = async () => {
    await sequence(sequencer, { atEnd: (client) => endAllBaselines(client, sequencer, 'default') });
    await pool.query(`insert into things values (2, 'on its way')`);
    const { steps } = await made.unapply();
    await endCaptures(
      sequencer,
      steps.filter(({ kind }) => kind === 'audit-capture').map(({ target }) => target),
    );
  };
  const verify = async () => {
    await made.sequence();
    const { faults, notes } = await made.verify('default', [TABLE]);
    return { faults: faults.map(({ code, detail }) => `${code} ${detail}`), notes };
  };
  return { ...made, unapply, verify };
}

test('a capture that unapply took back is told as such, and one that was dropped by hand stays a fault', async (t) => {
  const { unapply, verify, pool, capture, sequence: move } = await bench(t);
  assert.deepEqual((await verify()).faults, []);
  await unapply();
  const { faults, notes } = await verify();
  assert.deepEqual(faults, []);
  assert.match(
    notes.join('\n'),
    /^public\.things is not captured any more: `safekeep unapply` took its capture back, as event \d+ says\.$/m,
  );
  await pool.query(`insert into things values (3, 'in no log')`);
  assert.deepEqual((await verify()).faults, []);
  // Applied again, and the triggers dropped by hand before anything was written: the word of then is no word for it.
  await capture(MAP);
  await move();
  await pool.query(BY_HAND);
  assert.deepEqual((await verify()).faults, GONE);
  await pool.query(REPLAYED);
  assert.deepEqual((await verify()).faults, GONE, 'nor when it is told again');
});

test('whoever has the database alone can say of no capture that it was taken back, nor of one that has told of changes since', async (t) => {
  const { verify, pool, sequencer } = await bench(t);
  const said = (mark: string) => `begin; set local safekeep.tenant = 'default';
    select safekeep.record_audit_event(gen_random_uuid(), 'compliance', 'capture-ended', null, '${TABLE}', null, '{"id": "1", "mark": "${mark}"}'); commit`;
  await pool.query(said('AAAA'));
  assert.deepEqual((await verify()).faults, []);
  await endCaptures(sequencer, [TABLE]);
  await pool.query(`insert into things values (5, 'after the word')`);
  await verify();
  await pool.query(BY_HAND);
  assert.deepEqual((await verify()).faults, GONE);
});
