import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dpvPersonalData } from './dpv-pd.ts';
import { fideslang } from './fideslang.ts';
import { ours } from './ours.ts';
import { categories, categoryOf, isPersonal, isWithin, suggestCategory } from './taxonomy.ts';

test('every IRI that a category carries is one of the vocabulary', () => {
  const known = new Set([...dpvPersonalData.map((term) => `https://w3id.org/dpv/pd#${term}`), 'https://w3id.org/dpv#PersonalData']);
  for (const { key, dpv, personal } of categories) {
    assert.equal(dpv !== null, personal, key);
    if (dpv !== null) assert.ok(known.has(dpv), `${key}: ${dpv}`);
  }
});

test('the vocabulary is listed once and in order', () => {
  assert.deepEqual(dpvPersonalData, [...new Set(dpvPersonalData)].toSorted());
});

test('no key stands twice, every key has its parent, and every replacement is a key', () => {
  const keys = [...fideslang, ...ours].map(({ key }) => key);
  assert.equal(new Set(keys).size, keys.length);
  assert.equal(categories.length, keys.length);
  for (const { parent, replacedBy } of categories) {
    if (parent !== null) assert.ok(categoryOf(parent));
    if (replacedBy !== null) assert.ok(categoryOf(replacedBy));
  }
});

test('our keys stand only where fideslang leaves room for them', () => {
  for (const { key } of ours)
    assert.ok(isWithin(key, 'user.financial.credit_card') || isWithin(key, 'user.health_and_medical'), key);
});

test('a key has the classes of its parent unless it says otherwise', () => {
  assert.equal(categoryOf('user.health_and_medical.diagnosis')?.gdpr, 'art9');
  assert.equal(categoryOf('user.health.record_id')?.gdpr, 'art9');
  assert.equal(categoryOf('user.criminal_history')?.gdpr, 'art10');
  assert.equal(categoryOf('user.contact.address.postal_code')?.hipaa, 'B');
  // A state is no subdivision smaller than a state (45 CFR 164.514(b)(2)(i)(B)).
  assert.equal(categoryOf('user.contact.address.state')?.hipaa, null);
  assert.equal(categoryOf('user.financial.credit_card.verification_code')?.pci, 'sad');
  assert.equal(categoryOf('user.name.first')?.dpv, 'https://w3id.org/dpv/pd#Name');
});

test('all identifiers of the HIPAA Safe Harbor have a category', () => {
  const letters = new Set(categories.flatMap(({ hipaa }) => hipaa ?? []));
  assert.deepEqual([...letters].toSorted(), [...'ABCDEFGHIJKLMNOPQR']);
});

test('keys match on the dot and never by plain prefix', () => {
  assert.ok(isWithin('user.contact.email', 'user.contact'));
  assert.ok(isWithin('user.contact', 'user.contact'));
  assert.ok(!isWithin('user.contact_log', 'user.contact'));
  assert.ok(!isWithin('user.health_and_medical', 'user.health'));
});

test('data of the system is not personal, and an unknown key is taken for personal', () => {
  assert.ok(!isPersonal('system.operations'));
  assert.ok(isPersonal('user.unique_id'));
  assert.ok(isPersonal('made.up'));
});

test('a mistyped key is answered with the one that was meant', () => {
  assert.equal(suggestCategory('user.contact.emial'), 'user.contact.email');
  assert.equal(suggestCategory('user.email'), 'user.contact.email');
  assert.equal(suggestCategory('quite.something.else.altogether'), undefined);
});
