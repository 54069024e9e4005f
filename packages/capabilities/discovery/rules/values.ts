// What the values of a column say. Values pass through and are never kept: reasons carry counts only.
import { isWithin } from '@safekeep/core';
import { kindNamed, kinds, surenessOf } from '../kinds/table.ts';
import type { Kind } from '../kinds/model.ts';
import { detectText } from '../text/detect.ts';
import type { Role } from './roles.ts';
import type { Reason } from './score.ts';

/** Distinct values of one column, cut to length, in no order. */
export type Sample = { readonly values: readonly string[]; readonly source: 'statistics' | 'sample' };

export type ValueFinding = {
  readonly kind: string;
  readonly category: string;
  readonly reason: Reason;
  readonly hits: number;
  readonly looked: number;
};

/** Fewer distinct values than this could be anything. */
const VALUES_AT_LEAST = 5;
/** Looked at first, to spare the rest the kinds that are plainly none. */
const SCREENED = 8;
const SCREEN_SHARE = 0.5;
/** More than this adds nothing to the interval. */
const VALUES_AT_MOST = 400;
const WEIGHT_AT_MOST = 7;
/** How often a true value of a kind fails its check: typing errors, test rows. */
const MISS_RATE = 0.1;
/** A check without digits to check lets anything pass that looks alike; below this it still says something. */
const CHANCE_AT_LEAST = 0.001;
const CHANCE_AT_MOST = 0.6;

/** How often a value of any other column has the shape; the chance of a kind is that of a value which has the shape already. */
const SHAPES: Readonly<Record<string, number>> = {
  EMAIL_ADDRESS: 0.001,
  IP_ADDRESS: 0.003,
  MAC_ADDRESS: 0.001,
  IBAN_CODE: 0.001,
  JWT: 0.001,
  PRIVATE_KEY: 0.001,
  PASSWORD_HASH: 0.005,
  CREDIT_CARD: 0.03,
  PHONE_NUMBER: 0.3,
  US_SSN: 0.2,
  ICD10_CODE: 0.3,
};
/** With these a value speaks for itself, whatever stands around it. */
const PLAIN = new Set([
  'EMAIL_ADDRESS',
  'IP_ADDRESS',
  'MAC_ADDRESS',
  'IBAN_CODE',
  'JWT',
  'PRIVATE_KEY',
  'PASSWORD_HASH',
  'CREDIT_CARD',
]);
/** What others are worth at most: article numbers have check digits too. */
const WEIGHT_OF_CHECKED = 4;
const WEIGHT_OF_WORDS = 3;
/** Words of a list stand in other columns as well. */
const CHANCE_OF_WORDS = 0.05;

/** Kinds that a whole value can be told by. */
const TELLING: readonly Kind[] = kinds.filter(
  ({ name, pattern, chance, family }) =>
    pattern !== null &&
    name !== 'TITLE' &&
    (name in SHAPES || (chance < CHANCE_AT_MOST && family !== 'entity' && family !== 'time')),
);

/** Columns repeat values; a value is asked once. */
const remembered = new Map<string, readonly string[]>();
const REMEMBERED_AT_MOST = 4_000;

function kindsOf(value: string): readonly string[] {
  const known = remembered.get(value);
  if (known !== undefined) return known;
  const found = TELLING.filter((kind) => surenessOf(kind, value) > 0).map(({ name }) => name);
  if (remembered.size >= REMEMBERED_AT_MOST) remembered.clear();
  remembered.set(value, found);
  return found;
}

/** Forgets every value that was looked at. To be called when a scan ends. */
export function forgetValues(): void {
  remembered.clear();
}

/** The kinds that the values of a column are, the surest first. */
export function kindsIn({ values, source }: Sample): readonly ValueFinding[] {
  const looked = values
    .map((value) => value.trim())
    .filter((value) => value !== '')
    .slice(0, VALUES_AT_MOST);
  if (looked.length < VALUES_AT_LEAST) return [];
  const screened = count(spread(looked, SCREENED));
  const hopeful = TELLING.filter(({ name }) => (screened.get(name) ?? 0) >= Math.min(SCREENED, looked.length) * SCREEN_SHARE);
  if (hopeful.length === 0) return [];
  const hits = count(looked);
  return hopeful
    .flatMap((kind) => {
      const found = weigh(kind, { hits: hits.get(kind.name) ?? 0, looked: looked.length, source });
      return found === undefined ? [] : [found];
    })
    .toSorted((a, b) => b.reason.weight - a.reason.weight);
}

function count(values: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) for (const name of kindsOf(value)) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

function spread(values: readonly string[], wanted: number): readonly string[] {
  const step = Math.max(1, Math.floor(values.length / wanted));
  return values.filter((_value, place) => place % step === 0).slice(0, wanted);
}

/** P(these hits | the kind) against P(these hits | chance), in log-odds, less what prints rivals alike. */
function weigh(
  kind: Kind,
  { hits, looked, source }: { readonly hits: number; readonly looked: number; readonly source: Sample['source'] },
): ValueFinding | undefined {
  const isWords = kind.family === 'words';
  const chance = Math.min(CHANCE_AT_MOST, Math.max(isWords ? CHANCE_OF_WORDS : CHANCE_AT_LEAST, SHAPES[kind.name] ?? kind.chance));
  const misses = looked - hits;
  const odds = hits * Math.log((1 - MISS_RATE) / chance) + misses * Math.log(MISS_RATE / (1 - chance));
  const weight = Math.min(PLAIN.has(kind.name) ? WEIGHT_AT_MOST : isWords ? WEIGHT_OF_WORDS : WEIGHT_OF_CHECKED, odds);
  if (weight <= 0) return undefined;
  const [low, high] = interval(hits, looked);
  const text = `${hits} of ${looked} distinct values from the ${source} are ${kind.name} (95 % interval ${low.toFixed(2)} to ${high.toFixed(2)}${kind.validators.length > 0 ? `; checked by ${kind.validators.join(', ')}` : ''})`;
  return { kind: kind.name, category: kind.category, reason: { code: 'values', text, weight }, hits, looked };
}

/** Wilson's interval: sound for few values and for shares near 0 and 1. */
function interval(hits: number, looked: number): readonly [number, number] {
  const z = 1.96;
  const share = hits / looked;
  const spreadOf = z * Math.sqrt((share * (1 - share)) / looked + (z * z) / (4 * looked * looked));
  const middle = share + (z * z) / (2 * looked);
  const scale = 1 + (z * z) / looked;
  return [Math.max(0, (middle - spreadOf) / scale), Math.min(1, (middle + spreadOf) / scale)];
}

const BARE_SHARE = 0.5;
/** A check that one in so many random numbers passes proves little of a column. */
const BARE_CHANCE = 0.12;

/** Whether a kind has no check that digits alone could pass by accident only. */
export function needsWord(name: string): boolean {
  return (kindNamed(name)?.chance ?? 1) > BARE_CHANCE;
}

/**
 * Digits alone, or an amount: codes and prices of six to fourteen digits are numbers of some country's telephones as often as not.
 * As in a text, such a number is one where a word beside it says so.
 */
export function areBareNumbers(values: readonly string[]): boolean {
  const bare = values.filter((value) => /^\s*-?\d+(?:[.,]\d+)?\s*$/.test(value)).length;
  return bare >= values.length * BARE_SHARE;
}

const VERSION_COLUMN = /version|release|build|firmware|revision/i;
const VERSION = /^\d{1,4}(?:\.\d{1,4}){3}$/;

/** What else the values of a column of this name could be: versions, numbers in a row, times. */
export function rivalOf(name: string, values: readonly string[]): Reason | undefined {
  if (VERSION_COLUMN.test(name) && values.every((value) => VERSION.test(value.trim())))
    return { code: 'rival', text: 'its values are versions, by its name', weight: -8 };
  const numbers = values.filter((value) => /^\d{1,18}$/.test(value)).map(Number);
  if (numbers.length < values.length * 0.9 || numbers.length < VALUES_AT_LEAST) return undefined;
  const sorted = numbers.toSorted((a, b) => a - b);
  const [first, last] = [sorted[0] ?? 0, sorted.at(-1) ?? 0];
  if (last - first <= numbers.length * 3)
    return { code: 'rival', text: 'its numbers follow one another, like those of rows', weight: -4 };
  if (first >= 315_532_800 && last <= 4_102_444_800)
    return { code: 'rival', text: 'its numbers are times in seconds, as likely', weight: -3 };
  if (first >= 315_532_800_000 && last <= 4_102_444_800_000)
    return { code: 'rival', text: 'its numbers are times in milliseconds, as likely', weight: -3 };
  return undefined;
}

/** Letters, and not those of a time: "given" at 2024-09-10T08:00Z. */
const NAME = /^(?!\d{1,4}[-./:]\d).*\p{L}/u;
const CHECKED: Readonly<Record<string, RegExp>> = {
  'user.contact.email': /^[^\s@]+@[^\s@]+\.[^\s@]+$/,
  'user.device.ip_address': /^[0-9a-f.:/%]{3,49}$/i,
  'user.financial.bank_account': /\d.*\d/,
  'user.contact.phone_number': /\d[^a-z]*\d[^a-z]*\d/i,
  'user.contact.address.postal_code': /\d|^[A-Z]{1,3}$/,
  'user.demographic.date_of_birth': /\d/,
  'user.name': NAME,
  'user.name.first': NAME,
  'user.name.last': NAME,
};
/** Ciphertext and hashes under the old name stay what they were. */
const OPAQUE = /^(?:[A-Za-z0-9+/_-]{24,}={0,2}|\$[0-9a-z]{1,8}\$.*|[0-9a-f]{32,})$/;
const REFUTED_SHARE = 0.1;

/** Where values plainly are not what the name says: a `phone` of Y and N. */
export function refutation(category: string, values: readonly string[]): Reason | undefined {
  const filled = values.map((value) => value.trim()).filter((value) => value !== '' && !OPAQUE.test(value));
  if (filled.length === 0) return undefined;
  const flags =
    filled.length <= 3 && filled.every((value) => /^(?:y|n|yes|no|true|false|t|f|0|1|ja|nein|oui|non|si|on|off)$/i.test(value));
  if (flags && !category.startsWith('user.health') && !category.startsWith('user.demographic'))
    return { code: 'values', text: 'its values are yes and no', weight: -6 };
  const pattern = CHECKED[category];
  if (pattern === undefined || filled.length < VALUES_AT_LEAST * 2) return undefined;
  const hits = filled.filter((value) => pattern.test(value)).length;
  return hits / filled.length < REFUTED_SHARE
    ? { code: 'values', text: `${hits} of ${filled.length} distinct values look like it`, weight: -4 }
    : undefined;
}

/** Prose in which anything may stand, told by its length and by blanks. */
export function looksLikeProse(values: readonly string[], averageWidth: number | null): boolean {
  if (values.length >= VALUES_AT_LEAST) {
    const prose = values.filter((value) => value.length >= 25 && value.split(/\s+/).length >= 4).length;
    return prose >= values.length * 0.4;
  }
  return averageWidth !== null && averageWidth >= 60;
}

/** Short sentences, as logs have them: prose only where they speak of people. */
export function looksLikeSentences(values: readonly string[]): boolean {
  const sentences = values.filter((value) => value.length >= 14 && value.split(/\s+/).length >= 3).length;
  return values.length >= VALUES_AT_LEAST && sentences >= values.length * 0.4;
}

/** The tagger takes its time; a dozen texts show what stands in all of them. */
const TEXTS_AT_MOST = 12;
const PEOPLE = new Set(['PERSON', 'EMAIL_ADDRESS', 'PHONE_NUMBER', 'US_SSN', 'IBAN_CODE', 'CREDIT_CARD', 'DATE_OF_BIRTH']);

/** How many of some texts speak of a person: by name, by an address for mail, by a number. */
export function mentionsPeople(values: readonly string[]): { readonly hits: number; readonly looked: number } {
  const looked = spread(values, TEXTS_AT_MOST);
  const hits = looked.filter((value) => detectText(value).some(({ type }) => PEOPLE.has(type))).length;
  return { hits, looked: looked.length };
}

const FULL_NAME = /^\p{Lu}[\p{L}'’.-]+(?: (?:van|von|de|der|da|di|la|le|del|den|ter|bin|al)){0,2}(?: \p{Lu}[\p{L}'’.-]*){1,3}$/u;
const FULL_NAME_SHARE = 0.6;
const NAMES_WEIGHT = 3;

/** Names of persons, told by the tagger where most values have the shape of one. */
export function personsIn({ values, source }: Sample): Reason | undefined {
  const shaped = values.filter((value) => FULL_NAME.test(value.trim()));
  if (values.length < VALUES_AT_LEAST || shaped.length < values.length * FULL_NAME_SHARE) return undefined;
  const looked = spread(values, TEXTS_AT_MOST);
  const hits = looked.filter((value) => detectText(value).some(({ type }) => type === 'PERSON')).length;
  const [low, high] = interval(hits, looked.length);
  if (low < 0.4) return undefined;
  return {
    code: 'values',
    text: `${hits} of ${looked.length} distinct values from the ${source} are names of persons to the tagger (95 % interval ${low.toFixed(2)} to ${high.toFixed(2)})`,
    weight: NAMES_WEIGHT,
  };
}

/** How much values alone can say in each kind of table, before they are counted. */
const PRIOR: Readonly<Record<Role, number>> = { person: -1, about: -1.5, unknown: -2.5, thing: -3.5, organisation: -4.5 };

export function priorOf(role: Role): number {
  return PRIOR[role];
}

/** Whether two categories speak of the same, one of them perhaps more exactly. */
export function agree(a: string, b: string): boolean {
  return isWithin(a, b) || isWithin(b, a);
}
