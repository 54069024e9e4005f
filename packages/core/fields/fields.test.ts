import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalForm, compoundForm, cardNumber, cardRuleOf, displayCard, isTrack, searchFits } from '../index.ts';

test('search forms are equal for what shall be found together', () => {
  assert.equal(canonicalForm('exact', '1.50', 'numeric'), canonicalForm('exact', '1.5', 'numeric'));
  assert.equal(canonicalForm('exact', 'Ann', 'text'), 'Ann');
  assert.equal(canonicalForm('last4', '(555) 010-99aB', 'text'), '99ab');
  assert.equal(canonicalForm('last4', ' -- ', 'text'), null);
  assert.equal(canonicalForm('prefix', '  ÉMile', 'text'), 'Émi');
  assert.equal(canonicalForm('year', '1984-07-09', 'date'), '1984');
  assert.equal(canonicalForm('month', '1984-07-09 10:00:00+00', 'timestamptz'), '1984-07');
  assert.equal(canonicalForm('year', '0044-03-15 BC', 'date'), null);
  assert.equal(canonicalForm('year', 'infinity', 'date'), null);
});

// https://www.archives.gov/research/census/soundex names these.
test('the form of several values tells them apart wherever one ends, and is none where one is missing', () => {
  const form = (...values: (string | null)[]) => compoundForm(values.map((value) => ({ value, type: 'text' })));
  assert.equal(form('Müller', '1950-01-02'), '7:Müller10:1950-01-02');
  assert.notEqual(form('ab', 'c'), form('a', 'bc'));
  assert.notEqual(form('1:a', ''), form('', '1:a'));
  assert.equal(form('Ann', null), null);
  assert.equal(compoundForm([{ value: '1.50', type: 'numeric' }]), '3:1.5');
});

test('soundex is that of the US National Archives', () => {
  const names = {
    Washington: 'W252',
    Lee: 'L000',
    Gutierrez: 'G362',
    Pfister: 'P236',
    Jackson: 'J250',
    Tymczak: 'T522',
    Ashcraft: 'A261',
  };
  for (const [name, code] of Object.entries(names)) assert.equal(canonicalForm('soundex', name, 'text'), code, name);
  assert.equal(canonicalForm('soundex', '123', 'text'), null);
});

test('a search that means nothing for a type is not accepted', () => {
  assert.equal(searchFits('year', 'text'), false);
  assert.equal(searchFits('exact', 'bool'), false);
  assert.equal(searchFits('month', 'date'), true);
  assert.equal(searchFits('soundex', 'date'), false);
});

test('card numbers are known by length and check digit, and shown as BIN and last four', () => {
  assert.equal(cardNumber('4111 1111 1111 1111'), '4111111111111111');
  assert.equal(cardNumber('4111-1111-1111-1112'), null);
  assert.equal(cardNumber('411111111'), null);
  assert.equal(displayCard('4111111111111111'), '41111111****1111');
  assert.equal(displayCard('378282246310005'), '378282*****0005');
});

test('verification codes, PINs and tracks are forbidden, whatever the column is called', () => {
  assert.equal(cardRuleOf(['user.financial.credit_card.verification_code']), 'forbidden');
  assert.equal(cardRuleOf(['user.financial.credit_card.pin']), 'forbidden');
  assert.equal(cardRuleOf(['user.financial.credit_card.number']), 'number');
  assert.equal(cardRuleOf(['user.name']), null);
  assert.equal(isTrack('%B4111111111111111^DOE/JANE^29041010000000000000?'), true);
  assert.equal(isTrack(';4111111111111111=29041010000012300000?'), true);
  for (const text of [' %B4111111111111111^DOE/JANE^2904101', 'swiped: ;4111111111111111=2904101', '\n4111111111111111=2904101?'])
    assert.equal(isTrack(text), true, 'anywhere in a text');
  for (const text of ['4111111111111111', '40000111111111111111111=2904101', 'paid 4111111111111111 = 2904101'])
    assert.equal(isTrack(text), false, text);
});
