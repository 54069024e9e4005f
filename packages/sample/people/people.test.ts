import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OPENED, TODAY_DAY } from '../calendar.ts';
import { plans } from '../sizes.ts';
import { people, type Patient } from './people.ts';

const SEEDS = [1, 2, 20_260_930];

function everyone(seed: number): readonly Patient[] {
  const { patient } = people(seed, plans.small);
  return Array.from({ length: plans.small.patients }, (_, index) => patient(index + 1));
}

test('a household has the same head, size, name and street for all who live in it', () => {
  for (const seed of SEEDS) {
    const all = everyone(seed);
    for (const { id, household, street } of all) {
      assert.ok(id >= household.headId && id < household.headId + household.size);
      const head = all[household.headId - 1];
      assert.deepEqual(head?.household, household);
      assert.equal(head?.street, street);
    }
  }
});

test('a guardian is an adult of the same household, at least 18 years older', () => {
  for (const seed of SEEDS) {
    const all = everyone(seed);
    const children = all.filter(({ guardianId }) => guardianId !== null);
    assert.ok(children.length > 100);
    for (const child of children) {
      const guardian = all[(child.guardianId ?? 0) - 1];
      assert.ok(guardian !== undefined && guardian.guardianId === null);
      assert.equal(guardian.household.headId, child.household.headId);
      assert.ok(child.born - guardian.born > 18 * 365, `patient ${child.id}`);
    }
  }
});

test('nobody is registered before birth, before the opening or in the future', () => {
  for (const { id, born, registered } of everyone(1)) {
    assert.ok(born <= registered && registered >= OPENED && registered <= TODAY_DAY, `patient ${id}`);
  }
});

test('the count of those registered by a day agrees with their days', () => {
  const all = everyone(1);
  const { registered } = people(1, plans.small);
  for (let day = OPENED - 3; day <= TODAY_DAY + 3; day += 97) {
    assert.equal(registered(day), all.filter((patient) => patient.registered <= day).length);
  }
});

test('names come in many scripts, with marks, apostrophes and in all cases', () => {
  const all = everyone(1);
  const names = all.map(({ first, last }) => `${first} ${last}`);
  for (const pattern of [/[àáâãäåçèéêëñöøüß]/i, /[’']/, /^[A-Z ]+$/, /^[a-z ]+$/, /\bvan der\b/, /-/, /[ąćęłńśźż]/i, /ễ/]) {
    assert.ok(
      names.some((name) => pattern.test(name)),
      String(pattern),
    );
  }
  for (const script of ['Cyrillic', 'Greek', 'Arabic', 'Hebrew', 'Devanagari', 'Han', 'Hangul', 'Thai']) {
    const pattern = new RegExp(`\\p{Script=${script}}`, 'u');
    assert.ok(
      all.some(({ native }) => native !== null && pattern.test(native)),
      script,
    );
  }
});
