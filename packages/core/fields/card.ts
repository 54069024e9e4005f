import type { DisplayKind } from '../datamap/model.ts';

/**
 * Card data. PCI DSS 4.0.1 allows to keep the number (PAN) unreadable (3.5.1) and to show no more than BIN and last four
 * (3.4.1); verification code, PIN and track must not be kept after authorisation, not even encrypted (3.3.1).
 */

/** ISO/IEC 7812: 12 to 19 digits in use. */
const SHORTEST = 12;
const LONGEST = 19;

/** The digits of a card number that may be grouped by spaces or hyphens; null where it is none (Luhn, ISO/IEC 7812-1 annex B). */
export function cardNumber(text: string): string | null {
  const digits = text.replaceAll(/[ -]/g, '');
  if (!/^\d+$/.test(digits) || digits.length < SHORTEST || digits.length > LONGEST) return null;
  return luhn(digits) ? digits : null;
}

function luhn(digits: string): boolean {
  let sum = 0;
  for (const [place, digit] of [...digits].toReversed().entries()) {
    const doubled = Number(digit) * (place % 2 === 0 ? 1 : 2);
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/** What may be shown of a card number: six digits of the BIN (eight of longer numbers) and the last four. */
export function displayCard(digits: string): string {
  const bin = binOf(digits);
  return `${bin}${'*'.repeat(digits.length - bin.length - LAST)}${digits.slice(-LAST)}`;
}

const LAST = 4;

/** Eight digits of numbers of 16 and more, six of shorter ones: what may stand beside the last four in a truncated number. */
function binOf(digits: string): string {
  return digits.slice(0, digits.length >= 16 ? 8 : 6);
}

/** One of the parts that may be shown; null of what is no card number. */
export function shownOf(kind: DisplayKind, text: string): string | null {
  const digits = cardNumber(text);
  if (digits === null) return null;
  return kind === 'card_bin' ? binOf(digits) : digits.slice(-LAST);
}

/**
 * Magnetic stripe contents (ISO/IEC 7813): track 1 `%B<PAN>^NAME^…?`, track 2 `;<PAN>=YYMM…?`. Found anywhere in a value it is
 * refused, whatever the column is said to hold.
 */
export function isTrack(text: string): boolean {
  return /B\d{12,19}\^[^^]{2,26}\^\d{4}/i.test(text) || /(?<!\d)\d{12,19}=\d{7}/.test(text);
}
