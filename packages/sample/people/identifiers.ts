import type { Random } from '../random.ts';

/**
 * Numbers that look real and belong to nobody. Each range says who keeps it free; the tests hold every generated file
 * against them.
 */

const SSN_AREAS = 100;
const SSN_GROUPS = 49;
const SSN_SERIALS = 9999;
/** A prime that shares no factor with the count of numbers: multiplying by it visits each number once. */
const SSN_STRIDE = 7919;

/**
 * A different number for each patient: area 900-999, group 01-49. The SSA never assigns areas from 900 up (20 CFR 422.103,
 * POMS RM 10201.035), and the IRS's taxpayer numbers there (ITIN, ATIN) use groups from 50 up.
 */
export function neverIssuedSsn(patientId: number): string {
  const place = (patientId * SSN_STRIDE) % (SSN_AREAS * SSN_GROUPS * SSN_SERIALS);
  const area = 900 + (place % SSN_AREAS);
  const group = 1 + (Math.floor(place / SSN_AREAS) % SSN_GROUPS);
  const serial = 1 + Math.floor(place / (SSN_AREAS * SSN_GROUPS));
  return `${area}${String(group).padStart(2, '0')}${String(serial).padStart(4, '0')}`;
}

export function formatSsn(ssn: string): string {
  return `${ssn.slice(0, 3)}-${ssn.slice(3, 5)}-${ssn.slice(5)}`;
}

/** Test numbers that card networks and payment processors publish; no account stands behind them. */
export const cardNumbers: readonly string[] = [
  '4111111111111111',
  '4012888888881881',
  '4242424242424242',
  '4000056655665556',
  '5555555555554444',
  '5105105105105100',
  '2223003122003222',
  '378282246310005',
  '371449635398431',
  '6011111111111117',
  '6011000990139424',
  '3530111333300000',
  '30569309025904',
];

/** Banks that cannot be: no bank of these countries has a code of zeros, nor `XXXX` for a name (ISO 9362). */
const BANKS = [
  { country: 'DE', bank: '00000000', accountDigits: 10 },
  { country: 'AT', bank: '00000', accountDigits: 11 },
  { country: 'CH', bank: '00000', accountDigits: 12 },
  { country: 'GB', bank: 'XXXX000000', accountDigits: 8 },
] as const;

/** An IBAN with valid check digits (ISO 13616, ISO 7064 MOD 97-10) of a bank that does not exist. */
export function testIban(random: Random): string {
  const { country, bank, accountDigits } = random.pick(BANKS);
  // In two halves: 10^12 is beyond the 32 bits that one draw has.
  const account = `${random.digits(accountDigits - 6)}${random.digits(6)}`;
  return `${country}${ibanCheckDigits(country, bank + account)}${bank}${account}`;
}

function ibanCheckDigits(country: string, rest: string): string {
  const digits = `${rest}${country}00`.replaceAll(/[A-Z]/g, (letter) => String(letter.charCodeAt(0) - 55));
  let remainder = 0;
  for (const digit of digits) remainder = (remainder * 10 + Number(digit)) % 97;
  return String(98 - remainder).padStart(2, '0');
}

/** Addresses for documentation: TEST-NET-1 to 3 (RFC 5737) and 2001:db8::/32 (RFC 3849). */
export function testIpAddress(random: Random): string {
  if (random.chance(12)) return `2001:db8:${random.below(0xffff).toString(16)}::${random.between(1, 0xffff).toString(16)}`;
  return `${random.pick(['192.0.2', '198.51.100', '203.0.113'])}.${random.between(1, 254)}`;
}
