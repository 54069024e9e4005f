import { createRequire } from 'node:module';
import type * as PhoneNumbers from 'libphonenumber-js/max';
import { digitsOf, isDay, isRepeated, isSequence } from './check-digits.ts';
import type { KindFacts } from './model.ts';

/** Unicode letters and digits of RFC 6531 beside those of RFC 5321; a label of a domain is at most 63 long (RFC 1035). */
const EMAIL =
  /^[\p{L}\p{N}!#$%&'*+/=?^_`{|}~-]{1,64}(?:\.[\p{L}\p{N}!#$%&'*+/=?^_`{|}~-]{1,64}){0,8}@(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.){1,8}(?:\p{L}{2,24}|xn--[a-z0-9-]{2,59})$/iu;

/** Countries whose national formats are tried where a number has no country code. Europe and America first. */
const NATIONAL_FORMATS = ['US', 'GB', 'DE', 'FR', 'NL', 'IT', 'ES', 'AU', 'IN', 'BR', 'SE', 'CH', 'AT', 'DK', 'PL'] as const;

let loaded: typeof PhoneNumbers | undefined;

/** Loaded with the first number that is checked: its tables are of no use to most commands. */
function library(): typeof PhoneNumbers {
  // What a package exports is known to the compiler by its types, which are named here.
  loaded ??= createRequire(import.meta.url)('libphonenumber-js/max') as typeof PhoneNumbers;
  return loaded;
}

/** How sure a telephone number is. Without `+` or 00 it is tried as a number of the given country, else of the most common ones. */
export function phoneSureness(value: string, country?: string): number {
  const digits = digitsOf(value);
  if (digits.length < 6 || digits.length > 20 || isRepeated(digits) || isSequence(digits)) return 0;
  const { isSupportedCountry, parsePhoneNumberFromString } = library();
  const bare = value.replace(/\s*(?:x|ext\.?|extension)\s*\d{1,6}$/i, '').replace(/^\s*00(?=[1-9])/, '+');
  if (bare.trimStart().startsWith('+')) return parsePhoneNumberFromString(bare)?.isValid() === true ? 0.95 : 0.5;
  const asked = country?.toUpperCase();
  const countries = asked !== undefined && isSupportedCountry(asked) ? [asked] : NATIONAL_FORMATS;
  if (countries.some((code) => parsePhoneNumberFromString(bare, code)?.isValid() === true)) return /\D/.test(value) ? 0.75 : 0.4;
  return /\D/.test(value) ? 0.35 : 0.15;
}

function isPostalShape(value: string): number {
  return /^(?:[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}|[A-Z]\d[A-Z] \d[A-Z]\d|\d{5}-\d{4})$/i.test(value) ? 0.8 : 0.3;
}

export const contactKinds: readonly KindFacts[] = [
  {
    name: 'EMAIL_ADDRESS',
    title: 'e-mail address',
    family: 'contact',
    category: 'user.contact.email',
    source: 'RFC 5321, RFC 6531',
    examples: ['anna.meyer@example.org', 'Jörg@exämple.de', "o'brien+news@mail.example.co.uk"],
    counterExamples: ['anna.meyer@', '@example.org', 'a@b', 'icon@2x.png'],
    pattern: EMAIL,
    validators: ['domain'],
    validate: (value) => (/@\dx\.|\.(?:png|jpe?g|gif|svg|webp|css|js|ts|json|md)$/i.test(value) ? 0 : 0.95),
    chance: 1,
    cues: 'e-?mail|mail|courriel|correo|contact',
  },
  {
    name: 'PHONE_NUMBER',
    title: 'telephone or fax number',
    family: 'contact',
    category: 'user.contact.phone_number',
    source: 'ITU-T E.164; libphonenumber',
    examples: ['+49 30 901820', '(212) 555-0123', '020 7946 0018', '001-420-335-7509x38548'],
    counterExamples: ['1700000000000000000000', '2024-01-31', '10.2.3.4', '0000000000'],
    pattern: /^(?:\+|00)?[ ]?(?:\(?\+?\d{1,5}\)?[ ./-]{0,2}){1,8}\d{1,6}(?:\s{0,2}(?:x|ext\.?)\s?\d{1,6})?$/i,
    validators: ['libphonenumber'],
    validate: (value) =>
      /^\d{4}[-./]\d{1,2}[-./]\d{1,2}$|^\d{1,2}[-./]\d{1,2}[-./]\d{4}$|^(?:\d{1,3}\.){3}\d{1,3}$/.test(value)
        ? 0
        : phoneSureness(value),
    chance: 0.9,
    cues: 'phone|tel|telefon|mobile|mob|cell|fax|call|ring|handy|desk|office|sms|text|whats ?app|dial|contact|hotline|numero|nummer|reach|ext|тел|電話|电话|phones?|hp',
  },
  {
    name: 'STREET_ADDRESS',
    title: 'street and house number',
    family: 'contact',
    category: 'user.contact.address.street',
    source: '45 CFR 164.514(b)(2)(i)(B); UPU S42',
    examples: ['12 High Street', 'Hauptstraße 5', '8, rue de la Paix', 'Calle Mayor 3'],
    counterExamples: ['12 apples', 'street', 'Chapter 5'],
    pattern: /^.{4,200}$/su,
    validators: ['street-word'],
    validate: (value) => (STREET.test(value) ? 0.85 : 0),
    chance: 0.01,
    cues: 'address|street|adresse|anschrift|direccion|indirizzo|lives?|residing|ship|deliver',
  },
  {
    name: 'POSTAL_CODE',
    title: 'postal code',
    family: 'contact',
    category: 'user.contact.address.postal_code',
    source: '45 CFR 164.514(b)(2)(i)(B); UPU addressing systems',
    examples: ['SW1A 1AA', '97201-1234', 'K1A 0B1', '10115'],
    counterExamples: ['SW1A', '123'],
    pattern:
      /^(?:[A-Za-z]{1,2}\d[A-Za-z\d]? \d[A-Za-z]{2}|[A-Za-z]\d[A-Za-z] ?\d[A-Za-z]\d|(?:[A-Z]{1,2}-)?\d{4,6}|\d{5}-\d{3,4}|\d{3} \d{2}|\d{2}-\d{3}|\d{4} ?[A-Z]{2}|\d{3}-\d{4})$/,
    validate: isPostalShape,
    validators: ['postal-shape'],
    chance: 1,
    cues: 'zip|postal|post ?code|plz|postleitzahl|cap|codigo postal|code postal|cep|pin ?code',
    needsCue: true,
  },
];

const STREET_WORD =
  'street|st|road|rd|avenue|ave?|boulevard|blvd|lane|ln|drive|dr|court|ct|place|pl|square|sq|terrace|ter|way|highway|hwy|parkway|pkwy|circle|cir|crescent|close|alley|row|walk|quay|trail|loop|route|esplanade|parade|grove|gardens|mews';
const STREET_SUFFIX =
  'stra(?:ße|sse)|str\\.|gasse|weg|platz|allee|ring|damm|ufer|straat|laan|plein|gracht|kade|gatan|vägen|gata|vej|gade|veien|gaten|katu|tie|utca|tér';
const STREET_PREFIX =
  'rue|avenue|boulevard|place|allée|chemin|impasse|via|viale|piazza|corso|calle|avenida|av\\.|plaza|paseo|carrera|rua|travessa|praça|ul\\.|ulica|aleja|ulice|nám\\.|ул\\.|улица|проспект|jalan|jl\\.';
const STREET = new RegExp(
  `(?:^|[\\s,])\\d{1,5}[a-z]?,?\\s(?:[\\p{L}'.-]{1,30}\\s){1,4}(?:${STREET_WORD})\\b|(?:^|\\s)\\p{L}{1,30}(?:${STREET_SUFFIX})\\s{0,2}\\d{1,4}|(?:^|\\s)(?:${STREET_PREFIX})\\s[^\\d]{2,40}\\d{1,5}|\\d{1,5},?\\s(?:bis\\s)?(?:${STREET_PREFIX})\\s\\p{L}|p\\.?\\s?o\\.?\\s?box\\s\\d`,
  'iu',
);

/** Year, month, day of a date in one of the common forms; of 03/04/2020 both readings are a day, so the first is taken. */
export function readDay(value: string): { readonly year: number; readonly month: number; readonly day: number } | undefined {
  const first = digitsAt(value, 0);
  const second = isDateSign(value.charCodeAt(first)) ? digitsAt(value, first + 1) : first;
  const third = isDateSign(value.charCodeAt(second)) ? digitsAt(value, second + 1) : second;
  const [a, b, c] = [first, second - first - 1, third - second - 1];
  if (b < 1 || b > 2) return undefined;
  const middle = Number(value.slice(first + 1, second));
  const [begin, last] = [Number(value.slice(0, first)), Number(value.slice(second + 1, third))];
  if (a === 4 && (c === 1 || c === 2)) return dayOf(begin, middle, last);
  if ((a !== 1 && a !== 2) || (c !== 2 && c !== 4)) return undefined;
  const year = c === 4 ? last : (last > 40 ? 1900 : 2000) + last;
  return dayOf(year, begin, middle) ?? dayOf(year, middle, begin);
}

/** Where the digits from here on end: five at most, which is more than any part of a date has. */
function digitsAt(value: string, from: number): number {
  let at = from;
  while (at - from < 5 && value.charCodeAt(at) >= 48 && value.charCodeAt(at) <= 57) at += 1;
  return at;
}

/** Dash, dot, slash. */
function isDateSign(code: number): boolean {
  return code >= 45 && code <= 47;
}

function dayOf(year: number, month: number, day: number): ReturnType<typeof readDay> {
  return year >= 1850 && year <= 2150 && isDay(year, month, day) ? { year, month, day } : undefined;
}

const MONTH =
  'jan(?:uary|uar|vier)?|feb(?:ruary|ruar)?|f[eé]vr(?:ier)?|mar(?:ch|s)?|m[äa]rz|apr(?:il)?|avril|ma[yi]|june?|juni|juin|jul[yi]?|juillet|aug(?:ust)?|ao[uû]t|sep(?:t(?:ember|embre)?)?|o[ck]t(?:ober|obre)?|nov(?:ember|embre)?|de[cz](?:ember)?|d[eé]cembre|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre';
const TIME = '(?:[ T]\\d{1,2}:\\d{2}(?::\\d{2}(?:\\.\\d{1,9})?)?(?: ?[ap]m)?(?:Z|[+-]\\d{2}:?\\d{2})?)?';
export const DATE_SOURCE = `(?:\\d{4}[-./]\\d{1,2}[-./]\\d{1,2}|\\d{1,2}[-./]\\d{1,2}[-./](?:\\d{4}|\\d{2}))${TIME}|\\d{1,2}(?:st|nd|rd|th|\\.)? (?:of )?(?:${MONTH})\\.?,? \\d{4}|(?:${MONTH})\\.? \\d{1,2}(?:st|nd|rd|th)?,? \\d{4}`;
const DATE = new RegExp(`^(?:${DATE_SOURCE})$`, 'i');

function daySureness(value: string): number {
  return /^\d/.test(value) && /^\d{1,4}[-./]/.test(value) && readDay(value) === undefined ? 0 : 0.6;
}

export const timeKinds: readonly KindFacts[] = [
  {
    name: 'DATE_TIME',
    title: 'date, with or without a time',
    family: 'time',
    category: 'user',
    hipaa: 'C',
    source: 'ISO 8601; 45 CFR 164.514(b)(2)(i)(C)',
    examples: ['1998-06-28 14:48:14', '12/27/1986', '29 March 2017', 'March 3, 2020'],
    counterExamples: ['2024-13-45', '99/99/1999', 'March', '10.2.3'],
    pattern: DATE,
    validators: ['calendar'],
    validate: daySureness,
    chance: 0.004,
  },
  {
    name: 'DATE_OF_BIRTH',
    title: 'date of birth',
    family: 'time',
    category: 'user.demographic.date_of_birth',
    hipaa: 'C',
    source: '45 CFR 164.514(b)(2)(i)(C); GDPR Art. 4(1)',
    examples: ['1986-12-27', '27.12.1986'],
    counterExamples: ['2024-13-45', '1492-10-12'],
    pattern: DATE,
    validators: ['calendar'],
    validate: (value) => (daySureness(value) > 0 ? 0.3 : 0),
    chance: 0.004,
    cues: 'born|birth(?:day|date)?|dob|d\\.o\\.b|geboren|geb\\.|geburts\\w*|n[eé]e? le|naissance|nacid[oa]|nacimiento|nat[oa] il|nascita|geboortedatum|f[oø]dt|f[oö]dd|narozen|urodzon[ay]|дата рождения',
    needsCue: true,
  },
  {
    name: 'AGE',
    title: 'age in years',
    family: 'time',
    category: 'user.demographic.age_range',
    hipaa: 'C',
    source: '45 CFR 164.514(b)(2)(i)(C): over 89; GDPR Art. 4(1)',
    examples: ['50', '93'],
    counterExamples: ['150', '3.5'],
    pattern: /^\d{1,3}$/,
    validators: ['range'],
    validate: (value) => (Number(value) <= 120 ? 0.2 : 0),
    chance: 1,
    cues: 'years? old|year-old|yo|y/o|aged?|jahre alt|ans|años|anni',
    needsCue: true,
  },
];
