import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../random.ts';
import { cardNumbers, formatSsn, neverIssuedSsn, testIban, testIpAddress } from './identifiers.ts';

test('every patient has a social security number of their own, in a range that is never issued', () => {
  const numbers = Array.from({ length: 200_000 }, (_, index) => neverIssuedSsn(index + 1));
  assert.equal(new Set(numbers).size, numbers.length);
  for (const number of numbers) assert.match(number, /^9\d\d(0[1-9]|[1-4]\d)\d{4}$/);
  assert.equal(formatSsn('912345678'), '912-34-5678');
});

test('every card number passes Luhn', () => {
  for (const number of cardNumbers) {
    const sum = [...number].toReversed().reduce((total, digit, place) => {
      const doubled = Number(digit) * (place % 2 === 1 ? 2 : 1);
      return total + (doubled > 9 ? doubled - 9 : doubled);
    }, 0);
    assert.equal(sum % 10, 0, number);
  }
});

test('every IBAN has the length of its country and valid check digits', () => {
  const lengths: Readonly<Record<string, number>> = { DE: 22, AT: 20, CH: 21, GB: 22 };
  const random = new Random(1, 'booking', 1);
  for (let draw = 0; draw < 500; draw += 1) {
    const iban = testIban(random);
    assert.equal(iban.length, lengths[iban.slice(0, 2)], iban);
    // ISO 13616, over the whole number at once, unlike the code under test.
    const digits = (iban.slice(4) + iban.slice(0, 4)).replaceAll(/[A-Z]/g, (letter) => String(parseInt(letter, 36)));
    assert.equal(BigInt(digits) % 97n, 1n, iban);
  }
});

test('addresses of machines come from the ranges for documentation', () => {
  const random = new Random(1, 'login', 1);
  for (let draw = 0; draw < 500; draw += 1) {
    assert.match(testIpAddress(random), /^(192\.0\.2|198\.51\.100|203\.0\.113)\.\d{1,3}$|^2001:db8:/);
  }
});
