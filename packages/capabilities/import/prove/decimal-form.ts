import { tags } from './digest-form.ts';
import type { ValueHash } from './hash.ts';

const TWO_POW_32 = 4_294_967_296;
const SHORT_DIGITS = 15;

/** A decimal number without zeros at either end: its digits and the power of ten of the last one. Zero has no digits. */
export function hashDigits(negative: boolean, digits: string, exponent: number, hash: ValueHash): void {
  if (digits.length <= SHORT_DIGITS) {
    hashCoefficient(negative, digits === '' ? 0 : Number(digits), exponent, hash);
    return;
  }
  hash.begin(tags.longDecimal);
  hash.word(negative ? 1 : 0);
  hash.word(exponent);
  for (let at = 0; at < digits.length; at += 9) hash.word(Number(digits.slice(at, at + 9)));
  hash.word(digits.length);
  hash.end();
}

/** The same where the digits are known as a number below 10^15. */
export function hashCoefficient(negative: boolean, coefficient: number, exponent: number, hash: ValueHash): void {
  const isZero = coefficient === 0;
  hash.begin(tags.decimal);
  hash.word(!isZero && negative ? 1 : 0);
  hash.word(isZero ? 0 : exponent);
  hash.word(Math.floor(coefficient / TWO_POW_32));
  hash.word((coefficient % TWO_POW_32) | 0);
  hash.end();
}

/** Reads what JavaScript and SQLite write: `-12.50`, `1e-7`, `5`. */
export function hashDecimalText(text: string, hash: ValueHash): void {
  const [mantissa = '', power = '0'] = text.toLowerCase().split('e');
  const negative = mantissa.startsWith('-');
  const unsigned = negative || mantissa.startsWith('+') ? mantissa.slice(1) : mantissa;
  const [whole = '', fraction = ''] = unsigned.split('.');
  const all = `${whole}${fraction}`;
  let first = 0;
  while (first < all.length && all.charCodeAt(first) === 0x30) first += 1;
  let end = all.length;
  while (end > first && all.charCodeAt(end - 1) === 0x30) end -= 1;
  hashDigits(negative, all.slice(first, end), Number(power) - fraction.length + (all.length - end), hash);
}
