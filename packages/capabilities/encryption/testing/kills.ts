import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { untilKilled } from '@safekeep/postgres/testing';
import { recoverIntents } from '../../ledger/index.ts';
import { epochsOf, readKek } from '../files/epochs.ts';
import { newestExport } from '../files/exports.ts';
import { restoreTable } from '../actions/recover-keys.ts';
import { rollEpoch } from '../actions/roll-epoch.ts';
import { CONTEXT, owner, workbench } from './workbench.ts';

const CHILD = fileURLToPath(new URL('./rotate.test-process.ts', import.meta.url));
const LONGEST_MS = 700;
/** More than can be shredded between two kills. */
const PEOPLE_A_KILL = 30;

/**
 * Kills processes that roll, rotate and shred at random moments. Each time: whoever was not shredded opens, whoever was does not,
 * no key of a destroyed epoch is left, and nobody has to mend anything.
 */
export async function killAndLook(
  t: { readonly after: (run: () => Promise<void>) => void },
  kills: number,
  random: () => number,
): Promise<void> {
  const bench = await workbench(t);
  const people = kills * PEOPLE_A_KILL;
  const sealed = await bench.inTenant(async (client) => {
    const keys = await bench.ring().subjectKeys.forSealing(
      client,
      Array.from({ length: people }, (_, person) => owner(person)),
    );
    return Array.from({ length: people }, (_, person) => {
      const key = keys.get(`default/patient:${person}/erasable`);
      assert.ok(key !== undefined && key !== 'erased');
      return { id: key.keyId, bytes: key.seal(Buffer.from(String(person)), CONTEXT) };
    });
  });
  const ledger = await bench.ledger();
  const gone = new Set<number>();
  const begun = new Set<number>();
  let next = 0;
  for (let kill = 0; kill < kills; kill += 1) {
    const told = await untilKilled([CHILD, bench.url.reveal(), bench.home, String(next)], random() * LONGEST_MS);
    for (const line of told) {
      const [word, number] = line.split(' ');
      if (word === 'shredding') begun.add(Number(number));
      if (word === 'shredded') gone.add(Number(number));
    }
    next = Math.max(-1, ...begun) + 1;
    assert.ok(next < people);
    const ring = bench.ring();
    await recoverIntents({ database: bench.database, ledger, tenant: 'default' });
    assert.deepEqual(await ledger.openIntents(), []);
    const opened = await bench.inTenant((client) =>
      ring.subjectKeys.forOpening(
        client,
        sealed.map(({ id }) => id),
      ),
    );
    for (const [person, { id, bytes }] of sealed.entries()) {
      const key = opened.get(id);
      assert.ok(key !== undefined, 'no key vanishes');
      if (gone.has(person)) assert.equal(key, 'erased');
      else if (key !== 'erased') assert.equal(key.open(bytes, CONTEXT).toString(), String(person));
      else assert.ok(begun.has(person), `${person} was never to be shredded`);
    }
    for (const { epoch, destroyedAt } of await epochsOf(bench.directory, 'default'))
      if (destroyedAt !== null)
        assert.equal(await readKek(bench.directory, 'default', epoch), undefined, 'what is destroyed is gone');
  }
  // A roll that was cut off is ended by the next one, and its export brings nobody back.
  const { to } = await rollEpoch(bench.ring(), 'default');
  const living = (await epochsOf(bench.directory, 'default')).filter(({ destroyedAt }) => destroyedAt === null);
  assert.ok(living.some(({ epoch }) => epoch === to));
  const path = await newestExport(bench.directory, 'default');
  await restoreTable(bench.ring(), 'default', path);
  const after = await bench.inTenant((client) =>
    bench.ring().subjectKeys.forOpening(
      client,
      sealed.map(({ id }) => id),
    ),
  );
  for (const person of gone) assert.equal(after.get(sealed[person]?.id ?? ''), 'erased');
}
