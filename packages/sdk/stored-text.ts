import { jsonbText } from './jsonb-text.ts';

/** The type of a column, as pg_attribute and pg_type have it. */
export type ColumnType = { readonly typeName: string; readonly typeModifier: number };

/** Throws what says that a value was refused, and why. */
type Refuse = (reason: string) => never;

/**
 * The text that a column of this type prints for a value which was written into it as `text` (canonical for its kind of value): rounded,
 * padded or cut as PostgreSQL does it. What it would refuse is refused.
 */
export function storedText({ typeName, typeModifier }: ColumnType, text: string, refuse: Refuse): string {
  switch (typeName) {
    case 'int2':
      return withinBits(text, 16, refuse);
    case 'int4':
      return withinBits(text, 32, refuse);
    case 'numeric':
      return typeModifier < 0 ? text : scaled(text, typeModifier - HEADER, refuse);
    case 'varchar':
      return typeModifier < 0 ? text : limited(text, typeModifier - HEADER, refuse);
    case 'bpchar':
      // Read as text its padding is gone.
      return (typeModifier < 0 ? text : limited(text, typeModifier - HEADER, refuse)).replace(/ +$/, '');
    case 'jsonb':
      return jsonbText(text) ?? refuse('jsonb does not hold it (NUL, half a character, a number out of range)');
    default:
      return text;
  }
}

/** Digits of a second behind the point that a column keeps. */
export function secondDigits({ typeName, typeModifier }: ColumnType): number {
  return typeName === 'timestamptz' && typeModifier >= 0 ? typeModifier : 6;
}

/** Modifiers of these types count the four bytes of a length that stood before each value once (VARHDRSZ). */
const HEADER = 4;

function withinBits(text: string, bits: number, refuse: Refuse): string {
  return BigInt.asIntN(bits, BigInt(text)) === BigInt(text) ? text : refuse('it is out of range for the column');
}

/** More characters than fit are taken where all of them are spaces (manual 8.3). */
function limited(text: string, limit: number, refuse: Refuse): string {
  const characters = [...text];
  if (characters.length <= limit) return text;
  if (characters.slice(limit).some((character) => character !== ' ')) refuse(`it is longer than ${limit} characters`);
  return characters.slice(0, limit).join('');
}

/** numeric(p, s): rounded to s digits, half away from zero; p digits in all (manual 8.1.2). s may be below zero or above p. */
function scaled(text: string, modifier: number, refuse: Refuse): string {
  if (text === 'NaN') return text;
  const precision = modifier >> 16;
  // Eleven bits with a sign.
  const scale = ((modifier & 0x7ff) ^ 0x400) - 0x400;
  const tooLarge = (): never => refuse(`it is out of range for numeric(${precision},${scale})`);
  const [, sign = '', whole = '', fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) ?? tooLarge();
  const magnitude = roundedTo(BigInt(whole + fraction), scale - fraction.length);
  if (magnitude >= 10n ** BigInt(precision)) tooLarge();
  const digits = scale < 0 ? String(magnitude * 10n ** BigInt(-scale)) : String(magnitude).padStart(scale + 1, '0');
  const shown = scale > 0 ? `${digits.slice(0, -scale)}.${digits.slice(-scale)}` : digits;
  return magnitude === 0n ? shown : `${sign}${shown}`;
}

/** With so many digits more, or fewer and then rounded half up. */
function roundedTo(digits: bigint, more: number): bigint {
  if (more >= 0) return digits * 10n ** BigInt(more);
  const unit = 10n ** BigInt(-more);
  return (digits + unit / 2n) / unit;
}
