import type { Random } from '../random.ts';
import { plain } from '../words/names.ts';

const AREA_CODES = ['503', '503', '503', '971', '541', '360', '206', '253', '425', '509', '208', '916', '415', '530'];

/**
 * Numbers that regulators keep free for fiction. An `n` stands for any digit, other than in the fixed part.
 * US and Canada: 555-0100 to 555-0199 of every area (NANPA, ATIS-0300115). GB: Ofcom, numbers for drama.
 * DE: Bundesnetzagentur, Mitteilung 148/2021. FR: Arcep, décision 2018-0881.
 */
const FICTIONAL: Readonly<Record<string, readonly string[]>> = {
  GB: ['+44 7700 900nnn', '07700 900nnn', '01632 960nnn', '020 7946 0nnn'],
  DE: ['+49 30 23125nnn', '089 99998 nnn', '040/66969nnn', '(0221) 4710-nnn'],
  FR: ['+33 1 99 00 nn nn', '06 39 98 nn nn', '01.99.00.nn.nn'],
};

/** A phone number of the country, as people write it. Countries without a range of their own get a US one. */
export function phoneNumber(random: Random, country: string): string {
  const patterns = FICTIONAL[country];
  if (patterns !== undefined) return random.pick(patterns).replaceAll('n', () => String(random.below(10)));
  const area = random.pick(AREA_CODES);
  const line = `01${random.digits(2)}`;
  const style = random.below(100);
  if (style < 45) return `(${area}) 555-${line}`;
  if (style < 70) return `${area}-555-${line}`;
  if (style < 82) return `+1 ${area} 555 ${line}`;
  if (style < 92) return `${area}.555.${line}`;
  return `${area}555${line}`;
}

const DOMAINS = ['example.org', 'example.com', 'example.com', 'example.net'];

/** An address below a domain that RFC 2606 keeps for examples. A few keep the marks of the name (RFC 6531). */
export function emailAddress(random: Random, first: string, last: string, id: number): string {
  const domain = random.pick(DOMAINS);
  const style = random.below(100);
  if (style < 3) return `${withoutSpaces(first)}.${withoutSpaces(last)}@${domain}`.toLowerCase();
  const given = plain(first) || 'patient';
  const family = plain(last) || String(id);
  if (style < 40) return `${given}.${family}@${domain}`;
  if (style < 65) return `${given.slice(0, 1)}${family}${id % 100}@${domain}`;
  if (style < 80) return `${family}_${given}@${domain}`;
  if (style < 95) return `${given}${id}@${domain}`;
  return `${given}.${family}@${domain}`.toUpperCase();
}

function withoutSpaces(name: string): string {
  return name.replaceAll(/[\s'’.]/g, '');
}
