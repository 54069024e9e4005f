import { isCardNumber } from '../kinds/financial.ts';
import { DATE_SOURCE, phoneSureness, readDay } from '../kinds/contact.ts';
import type { Kind } from '../kinds/model.ts';
import { kindNamed, kinds, surenessOf } from '../kinds/table.ts';
import { contextAfter, CueFinder, lastCue, NearCues } from './cues.ts';
import type { Found, Rank } from './model.ts';
import { endAt } from './sticky.ts';
import { unitsOf } from './units.ts';

export const CUES = new CueFinder(kinds.filter(({ family }) => family !== 'words' && family !== 'entity'));

/** What one pass over a text carries along. */
export class Scan {
  readonly text: string;
  readonly units: Uint16Array;
  readonly found: Found[] = [];
  /** Where the last word ended that may be a cue. */
  cueAt = -1_000;
  /** Where the last URL ends: what stands before it is inside of it. */
  urlEnd = 0;
  /** Where the last e-mail address ended. */
  addressEnd = 0;
  /** Which kinds these words speak for. */
  readonly near: NearCues;
  readonly #wanted: (type: string) => boolean;
  /** Where the only thing in the text ends, if there is only one: its shape and check must do without a word beside it. */
  readonly #bare: string;

  constructor(text: string, wanted: (type: string) => boolean) {
    this.text = text;
    this.units = unitsOf(text);
    this.near = new NearCues(CUES, text, this.units);
    this.#wanted = wanted;
    this.#bare = text.length <= 64 ? text.trim() : '';
  }

  add(found: Found): void {
    if (this.#wanted(found.type)) this.found.push(found);
  }

  /** Adds a stretch that passes the checks of its kind. */
  check(type: string, start: number, end: number, rank: Rank, floor = 0): boolean {
    const kind = kindNamed(type);
    if (kind === undefined) return false;
    // The host of a URL is told with the URL, whose path would be left over otherwise.
    if (type === 'IP_ADDRESS' && start < this.urlEnd && this.#wanted('URL')) return false;
    const score = surenessOf(kind, this.text.slice(start, end));
    if (score > 0) this.add({ type, start, end, score: Math.max(score, floor), validators: kind.validators, rank });
    return score > 0;
  }

  date(start: number, end: number): void {
    const born = this.isCued(start, named('DATE_OF_BIRTH'));
    this.add({
      type: born ? 'DATE_OF_BIRTH' : 'DATE_TIME',
      start,
      end,
      score: born ? 0.9 : 0.6,
      validators: born ? ['calendar', 'cue'] : ['calendar'],
      rank: born ? 3 : 2,
    });
  }

  hasCueNear(start: number): boolean {
    return start - this.cueAt < 60;
  }

  /** The folded text before a place. */
  before(start: number): string {
    return this.near.context(start);
  }

  /** Whether a word for this kind stands in the context before a place, and a word for some kind nearer still. */
  isCued(start: number, kind: Kind): boolean {
    return this.hasCueNear(start) && this.hasCue(start, kind);
  }

  hasCue(start: number, kind: Kind): boolean {
    return this.near.mayStandBefore(start, kind) && lastCue(kind, this.before(start)) >= 0;
  }

  /** All there is, when it is short; else nothing. */
  get onlyValue(): string {
    return this.#bare;
  }

  isBare(value: string): boolean {
    return this.#bare === value;
  }
}

const WRITTEN_DATE = new RegExp(`(?:${DATE_SOURCE})(?![A-Za-z0-9])`, 'iy');

const needy = kinds.filter(({ needsCue, family }) => needsCue && family !== 'words' && family !== 'time');
const phoneKind = named('PHONE_NUMBER');
const secretKind = named('SECRET');
const TOLD = /^[^(){},;]{0,40}(?:[:=>]|(?<![a-z])(?:is|was|to|ist|war|lautet|est|es|e|jest))["'\s]{1,3}$/;
/** Kinds that mixed letters and digits tell by themselves. */
const distinctMixed = kinds.filter(
  ({ needsCue, family, examples }) =>
    !needsCue && (family === 'national' || family === 'document') && examples.some((value) => /[A-Z]/i.test(value)),
);
const distinctNumeric = kinds.filter(
  ({ needsCue, family, examples }) => !needsCue && family === 'national' && !/[A-Z]/i.test(examples[0] ?? ''),
);
/** Whether any of the kinds has this shape, asked of one pattern instead of some dozen: most of what stands in a text has none. */
function shapesOf(some: readonly Kind[]): RegExp {
  const patterns = some.flatMap(({ pattern }) => (pattern === null ? [] : [pattern]));
  // References to groups by number would mean others in the whole, and flags are of the whole.
  if (patterns.some(({ source, flags }) => flags !== '' || /\\[1-9]|\(\?<[a-z]/i.test(source)))
    throw new Error('a pattern that cannot be joined');
  return new RegExp(patterns.map(({ source }) => `(?:${source})`).join('|'));
}

const NEEDY = CUES.setOf(needy);
const NEEDY_SHAPE = shapesOf(needy);
const MIXED_SHAPE = shapesOf(distinctMixed);
const NUMERIC_SHAPE = shapesOf(distinctNumeric);
/** Of these a row of digits without any separator is believed: by length, first digits and check they are rare enough. */
const RARE = new Set(['CN_RESIDENT_ID', 'CH_AHV', 'AE_EMIRATES_ID']);
/** A kind whose value alone is believed when it is all there is: others of as weak a check would be guesses. */
const BARE_CHANCE = 0.12;
/** A date or a range is all that can be checked of these: written without separators they need their word. */
const WITHOUT_CHECK_DIGIT = new Set([
  'US_ITIN',
  'DK_CPR',
  'KR_RRN',
  'MY_NRIC',
  'ID_NIK',
  'EG_NATIONAL_ID',
  'CU_NI',
  'GT_CUI',
  'LK_NIC',
]);
/** More groups than any number of a person has. */
const RUN = /\d{1,40}(?:[-./ ()]{1,3}\d{1,40}){0,14}/y;
const LONGEST_DIGITS = 40;
const EXTENSION = /\s?(?:x|ext\.? ?)\s?\d{1,6}(?![A-Za-z0-9])/iy;
const IPV4 = /(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)/y;
const VERSION = /(?:versions?|ver\.?|v|release|build|section|sect\.?|chapter|§|rev\.?|firmware|oid)\s*:?\s*$/;
const TIME_STAMP = /\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}/y;
const MOST_GROUPS = 8;

function named(name: string): Kind {
  const kind = kindNamed(name);
  if (kind === undefined) throw new Error(`no kind ${name}`);
  return kind;
}

/** A run of digits and what separates them; gives the place to go on. */
export function numericRun(scan: Scan, first: number): number {
  const { text } = scan;
  const alone = endOfDigits(text, first);
  if (alone - first > LONGEST_DIGITS) return alone;
  const end = goesOn(text.charCodeAt(alone)) ? endAt(RUN, text, first) : alone;
  const run = text.slice(first, end);
  const following = text.charCodeAt(end);
  // Letters follow at once: the last group belongs to them (12345678Z, 5th, 0x1f).
  const glued = (following >= 65 && following <= 90) || (following >= 97 && following <= 122) || following === 95;
  if (glued) {
    if (run.length < 7 || endAt(EXTENSION, text, end) < 0) return gluedRun(scan, first, run);
  }
  if (run.length <= 4) return small(scan, first, end);
  const date = dateAt(scan, first);
  if (date > first) return date;
  if (endAt(TIME_STAMP, text, first) >= 0) return first + 10;
  if (run.includes('.') && ipv4(scan, first, run)) return end;
  const digits = countDigits(run);
  if (digits < 5) {
    if (scan.hasCueNear(first)) withCue(scan, first, end);
    return end;
  }
  // 54362315-K, 15 070649 C 103: capitals may belong to it.
  if (/[- ]/.test(text[end] ?? '') && /[A-Z]/.test(text[end + 1] ?? '')) {
    const taken = spacedToken(scan, first, end);
    if (taken > end) return taken;
  }
  return groups(scan, first, run);
}

/** Blank, parentheses, dash, dot, slash: what may stand between groups of digits. */
function goesOn(code: number): boolean {
  return code === 32 || code === 40 || code === 41 || (code >= 45 && code <= 47);
}

function endOfDigits(text: string, first: number): number {
  let end = first + 1;
  while (end < text.length && isDigitAt(text, end)) end += 1;
  return end;
}

function countDigits(run: string): number {
  let count = 0;
  for (let at = 0; at < run.length; at += 1) {
    const code = run.charCodeAt(at);
    if (code >= 48 && code <= 57) count += 1;
  }
  return count;
}

/** The groups before the last are a run of their own; the last begins a word of letters and digits. */
function gluedRun(scan: Scan, first: number, run: string): number {
  let lastGroup = run.length;
  while (lastGroup > 0 && isDigitAt(run, lastGroup - 1)) lastGroup -= 1;
  let end = first + run.length;
  let digits = run.length - lastGroup;
  while (end < scan.text.length) {
    const code = scan.text.charCodeAt(end);
    const digit = code >= 48 && code <= 57;
    if (!digit && !((code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 95)) break;
    if (digit) digits += 1;
    end += 1;
  }
  const date = dateAt(scan, first);
  if (date > first) return date;
  return alnumToken(scan, first + lastGroup, end, digits, first);
}

/** Up to four digits: only a word beside them makes them personal. */
function small(scan: Scan, start: number, end: number): number {
  const { text } = scan;
  const named = mayBeAge(text, end) && endAt(AGE_AFTER, text, end) >= 0;
  if (end - start <= 3 && (named || (scan.hasCueNear(start) && AGE_BEFORE.test(text.slice(Math.max(0, start - 12), start))))) {
    if (Number(text.slice(start, end)) <= 120) scan.add({ type: 'AGE', start, end, score: 0.85, validators: ['cue'], rank: 2 });
    return end;
  }
  const date = dateAt(scan, start);
  if (date > start) return date;
  if (scan.hasCueNear(start)) withCue(scan, start, end);
  return end;
}

const AGE_AFTER = /\s?-?(?:years?[ -]old|year[ -]olds?|yrs?\b|yo\b|y\/o|years? of age|Jahre alt|ans\b|años|anni\b)/iy;
const AGE_BEFORE = /(?:\baged?|\bage:|\bage is|\bage of)\s?$/i;

/** Years, J(ahre), a(ns, ños, nni), behind a space, a dash or both. */
function mayBeAge(text: string, end: number): boolean {
  for (let at = end; at < end + 3; at += 1) {
    const code = text.charCodeAt(at);
    const lower = code | 32;
    if (code > 127 || lower === 121 || lower === 106 || lower === 97) return true;
    if (code > 45) return false;
  }
  return false;
}

function ipv4(scan: Scan, start: number, run: string): boolean {
  const end = endAt(IPV4, scan.text, start);
  if (end < 0 || /[\w.]$/.test(scan.text.slice(Math.max(0, start - 1), start))) return false;
  // A port or a prefix may follow, a fifth group may not.
  if (end - start < run.length && /^\.\d/.test(scan.text.slice(end, end + 2))) return false;
  if (VERSION.test(scan.before(start))) return true;
  return scan.check('IP_ADDRESS', start, end, 3);
}

type Groups = { readonly starts: readonly number[]; readonly ends: readonly number[] };

function groupsOf(run: string, from: number): Groups {
  const starts: number[] = [];
  const ends: number[] = [];
  let inside = false;
  for (let at = 0; at <= run.length; at += 1) {
    const code = run.charCodeAt(at);
    const digit = code >= 48 && code <= 57;
    if (digit && !inside) starts.push(from + at);
    if (!digit && inside) ends.push(from + at);
    inside = digit;
  }
  return { starts, ends };
}

/** Longest stretches first; what is taken is not looked at again. Gives the place to go on. */
function groups(scan: Scan, first: number, run: string): number {
  const { starts, ends } = groupsOf(run, first);
  let from = 0;
  while (from < starts.length) {
    let taken = 0;
    for (let to = Math.min(starts.length, from + MOST_GROUPS); to > from && taken === 0; to -= 1) {
      const [start, end] = [starts[from] ?? first, ends[to - 1] ?? first];
      if (end - start < 5) continue;
      const joinedBefore = from > 0 && !/[ (]/.test(scan.text[start - 1] ?? '');
      const joinedAfter = to < starts.length && scan.text[end] !== ' ';
      // A stretch ends at a space or at the end of the run, or it is a part of something longer.
      const found =
        joinedBefore || joinedAfter
          ? parted(scan, { start, end, joinedBefore, joinedAfter })
          : number(scan, start, end, from === 0 || scan.text[start - 1] === '(');
      if (found) taken = to - from;
    }
    from += Math.max(1, taken);
  }
  return first + run.length;
}

type Parted = { readonly start: number; readonly end: number; readonly joinedBefore: boolean; readonly joinedAfter: boolean };

/** What a card, an SSN or a telephone number is parted from: 4111 1111 1111 1111/0927, (212) 555-0123/(212) 555-0124. */
const PARTS = /[-/()]/;

/** One stretch of a run, where what stands inside of it is not what parts it from the rest of the run. */
function parted(scan: Scan, { start, end, joinedBefore, joinedAfter }: Parted): boolean {
  const { text } = scan;
  const value = text.slice(start, end);
  const [before, after] = [text[start - 1] ?? '', text[end] ?? ''];
  if (joinedBefore ? !PARTS.test(before) || value.includes(before) : partOfLonger(text, start)) return false;
  if (joinedAfter && (!PARTS.test(after) || value.includes(after))) return false;
  const digits = countDigits(value);
  if (digits >= 12 && digits <= 19 && cardAt(scan, start, end, value)) return true;
  if (/^\d{3}-\d{2}-\d{4}$/.test(value) && scan.check('US_SSN', start, end, 3, 0.85)) return true;
  if (digits < 9 || digits > 14 || !PHONE_SHAPE.test(before === '(' ? `(${value}` : value)) return false;
  return phone(scan, start, end, true);
}

/** One stretch as a number of some kind. */
function number(scan: Scan, start: number, end: number, begins: boolean): boolean {
  const { text } = scan;
  const value = text.slice(start, end);
  const digits = countDigits(value);
  if (digits > 30 || /[A-Za-z0-9]/.test(text[start - 1] ?? '') || partOfLonger(text, start)) return false;
  if (digits >= 12 && digits <= 19 && cardAt(scan, start, end, value)) return true;
  if (/^\d{3}-\d{2}-\d{4}$/.test(value) && scan.check('US_SSN', start, end, 3, 0.85)) return true;
  if (scan.hasCueNear(start) && withCue(scan, start, end)) return true;
  if (
    NUMERIC_SHAPE.test(value) &&
    distinctNumeric.some(
      (kind) =>
        (RARE.has(kind.name) || /\D/.test(value)) && kind.pattern?.test(value) === true && scan.check(kind.name, start, end, 4),
    )
  )
    return true;
  if (scan.isBare(value) && bare(scan, start, end, value)) return true;
  return digits >= 6 && digits <= 18 && phone(scan, start, end, begins);
}

/** Behind a decimal point, a minus, a slash of a path: no number of its own. */
function partOfLonger(text: string, start: number): boolean {
  const [last = ' ', before = ' '] = [text[start - 1], text[start - 2]];
  // -.0511018 and [.5: a fraction without its zero.
  if (last === '.') return !/\p{L}/u.test(before);
  return /[\d,/\\]/.test(last) && /[\w/\\.]/.test(before);
}

function cardAt(scan: Scan, start: number, end: number, value: string): boolean {
  if (!/^\d(?:[ -]?\d)+$/.test(value) || !isCardNumber(value)) return false;
  if (
    !/^(?:\d{12,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{1,4}(?:\1\d{1,3})?|\d{4}([ -])\d{6}\2\d{4,5}|\d{4}([ -])\d{4}\3\d{4,5})$/.test(
      value,
    )
  )
    return false;
  if (!/\D/.test(value)) {
    // A long number in a log is an id, and one in twenty passes: without a word for a card only the common brands are believed.
    const before = scan.before(start);
    // A card right before it is as good as a word.
    const beside = scan.found.at(-1);
    const follows = beside?.type === 'CREDIT_CARD' && beside.end === start - 1;
    if (!follows && !CARD_WORD.test(before) && (!COMMON_CARD.test(value) || ID_WORD.test(before))) return false;
  }
  return scan.check('CREDIT_CARD', start, end, 4);
}

const CARD_WORD = /card|visa|amex|maestro|credit|debit|(?<![a-z])pan(?![a-z])|karte|carte|tarjeta/;
const COMMON_CARD = /^(?:4\d{15}|5[1-5]\d{14}|3[47]\d{13})$/;
const ID_WORD =
  /(?:id|order|ref|reference|trace|span|txn|transaction|tracking|invoice|request|session|serial|token|key|hash|bytes|size|time|timestamp|ts|seq|offset|count|total|[=_/-])[\s:=#"']{0,3}$/;

type Cued = { readonly kind: Kind; readonly at: number; readonly score: number };

/** The kind whose word stands nearest before the value, among those whose shape and check fit. */
function withCue(scan: Scan, start: number, end: number): boolean {
  const near = scan.near.before(start);
  let value = '';
  let best: Cued | undefined;
  for (let word = 0; word < NEEDY.length; word += 1) {
    let some = (near?.[word] ?? -1) & (NEEDY[word] ?? 0);
    if (some !== 0 && value === '') {
      value = scan.text.slice(start, end);
      if (near === undefined && !NEEDY_SHAPE.test(value)) return false;
    }
    for (; some !== 0; some &= some - 1) {
      const kind = CUES.kinds[word * 32 + 31 - Math.clz32(some & -some)];
      if (kind?.pattern?.test(value) === true) best = nearer(best, { scan, kind, start, value });
    }
  }
  if (best === undefined) return false;
  const { kind, score } = best;
  // A telephone word nearer than a word for a kind without a check digit: it is a telephone.
  if (kind.chance > 0.5 && lastCue(phoneKind, scan.before(start)) > best.at) return false;
  if (kind.chance >= 0.5 && scan.before(start).length - best.at > CUE_REACH) return false;
  scan.add({
    type: kind.name === 'POSTAL_CODE' ? 'LOCATION' : kind.name,
    start,
    end,
    score: Math.max(score, kind.chance > 0.5 ? 0.6 : 0.85),
    validators: [...kind.validators, 'cue'],
    rank: kind.chance > 0.5 ? 2 : 4,
  });
  return true;
}

function nearer(
  best: Cued | undefined,
  { scan, kind, start, value }: { readonly scan: Scan; readonly kind: Kind; readonly start: number; readonly value: string },
): Cued | undefined {
  const before = scan.before(start);
  const at = lastCue(kind, before);
  if (at < 0 || (best !== undefined && at < best.at)) return best;
  // Where a word for a secret stands, code is near: what has a digit in it is a name mostly, unless it is said to be the secret.
  if (kind === secretKind && (!TOLD.test(before.slice(at)) || isNameInCode(scan.text, start, value))) return best;
  const score = kind.validate(value);
  return score > 0 && (best === undefined || at > best.at || kind.chance < best.kind.chance) ? { kind, at, score } : best;
}

/** A word says little about a number without check digits that stands further off. */
const CUE_REACH = 34;

function bare(scan: Scan, start: number, end: number, value: string): boolean {
  const fitting = kinds
    .filter(
      ({ name, chance, family }) =>
        chance <= BARE_CHANCE &&
        (family === 'national' || family === 'health') &&
        (/\D/.test(value) || !WITHOUT_CHECK_DIGIT.has(name)),
    )
    .map((kind) => ({ kind, score: surenessOf(kind, value) }))
    .filter(({ score }) => score > 0)
    .toSorted((a, b) => a.kind.chance - b.kind.chance)[0];
  if (fitting === undefined) return false;
  scan.add({ type: fitting.kind.name, start, end, score: 0.5, validators: fitting.kind.validators, rank: 3 });
  return true;
}

const PHONE_SHAPE =
  /^(?:\+\d{1,3}[ .-]?)?(?:\(\d{2,5}\)[ -]?\d{2,4}[ .-]?\d{2,5}(?:[ .-]?\d{2,4})?|\d{3}[-.]\d{3}[-.]\d{4}|\d{3} \d{3}[ -]\d{4}|0\d{1,4}[ /-]\d{3,4}(?:[ -]?\d{2,4}){1,3}|0\d([ .-])\d{2}\1\d{2}\1\d{2}\1\d{2}|001[-.]\d{3}[-.]\d{3}[-.]\d{4})$/;
const PHONE_AFTER = /^[ ,]{0,2}(?:\(?(?:office|fax|mobile|cell|home|work|desk|tel|phone|landline)\b)/;
const NOT_PHONE =
  /(?:version|invoice|order|ticket|case|ref(?:erence)?|isbn|issn|sku|serial|build|port|pid|id|uid|total|sum|amount|eur|usd|\$|€|£|price|#|line|page|error|code)\s?(?:no\.?|nr\.?|number|num)?[:#= ]{0,3}$/;

function phone(scan: Scan, first: number, runEnd: number, begins: boolean): boolean {
  const { text } = scan;
  let start = first;
  if (begins) {
    if (text[start - 1] === '(') start -= 1;
    if (text[start - 1] === '+') start -= 1;
    if (text[start - 1] === '(' && text[start] === '+') start -= 1;
  }
  const extended = endAt(EXTENSION, text, runEnd);
  const end = Math.max(extended, runEnd);
  if (/[\w@]/.test(text[start - 1] ?? '')) return false;
  const value = text.slice(start, end);
  if ((value.includes('(') ? 1 : 0) !== (value.includes(')') ? 1 : 0)) return false;
  const plain = text.slice(start, runEnd);
  const digits = countDigits(plain);
  const international = plain.startsWith('+') || /^00[1-9]/.test(plain) || plain.startsWith('(+');
  if (digits > 17 || (!international && digits > 14) || /^\d{1,2}[./]\d{1,2}[./]\d{2,4}$/.test(plain)) return false;
  const before = scan.before(start);
  const cue = scan.hasCue(start, phoneKind) || PHONE_AFTER.test(contextAfter(text, end));
  const groupings = plain.split(/[^\d]+/).filter((group) => group.length > 0);
  const decimal = /^\d+\.\d+$/.test(plain);
  if (decimal || NOT_PHONE.test(before)) return false;
  const shaped = PHONE_SHAPE.test(plain) || (extended >= 0 && digits >= 9);
  if (cue && digits >= 6 && groupings.every((group) => group.length <= 12)) {
    scan.add({ type: 'PHONE_NUMBER', start, end, score: shaped || international ? 0.95 : 0.8, validators: ['cue'], rank: 2 });
    return true;
  }
  if (!shaped && !international) return false;
  const score = international ? phoneSureness(value) : shaped ? 0.6 : 0;
  if (score < 0.5) return false;
  scan.add({
    type: 'PHONE_NUMBER',
    start,
    end,
    score,
    validators: score > 0.9 ? ['libphonenumber'] : [],
    rank: score > 0.9 ? 3 : 2,
  });
  return true;
}

const TOKEN_MORE = /(?:[-./ ]?[A-Za-z0-9]{1,12}){0,9}/y;
const IBAN_REST = /[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]{1,4}){3,8}(?![A-Za-z0-9])|[A-Za-z]{2}\d{2}[A-Za-z0-9]{11,30}(?![A-Za-z0-9])/y;
const LONGEST_TOKEN = 64;

/** A word of letters and digits; gives the place to go on. */
export function alnumToken(scan: Scan, start: number, end: number, digits: number, from = start): number {
  const { text } = scan;
  if (end - start > LONGEST_TOKEN * 2) return end;
  const token = text.slice(start, end);
  if (text.charCodeAt(start) > 64 && isDigitAt(text, start + 2) && isDigitAt(text, start + 3)) {
    const taken = iban(scan, start);
    if (taken > start) return taken;
  }
  if (digits >= 16 || token.length >= 26) {
    if (/^(?:[13]|bc1|0x)/.test(token) && scan.check('CRYPTO', start, end, 4)) return end;
  }
  if (token.length === 10 && /^\d+(?:st|nd|rd|th)$/.test(token)) return end;
  const mac = macAt(scan, from, end);
  if (mac > 0) return mac;
  if (digits >= 3 && distinct(scan, start, end, token)) return end;
  if (from < start && digits >= 1) {
    // 54362315-K, 131052-308T, 15 070649 C 103: the groups before belong to it.
    if (distinct(scan, from, end, text.slice(from, end))) return end;
    if (scan.hasCueNear(from) && withCue(scan, from, end)) return end;
  }
  const cue = scan.hasCueNear(start);
  const more = cue || (digits > 0 && token === token.toUpperCase()) ? text.slice(end, endAt(TOKEN_MORE, text, end)) : '';
  if (more.length > 0 && more.length < 40) {
    const taken = extended(scan, start, end, more);
    if (taken > end) return taken;
  }
  if (cue && withCue(scan, start, end)) return end;
  if (scan.isBare(token) && bare(scan, start, end, token)) return end;
  if (text[end] === '(') {
    // HKID: G123456(A).
    const closing = text.indexOf(')', end) === end + 2 ? end + 3 : end;
    if (closing > end && cue && withCue(scan, start, closing)) return closing;
  }
  return from < start ? splitRun(scan, from, start, end) : end;
}

/** Groups before a glued word that made nothing with it: they may be a number of their own. */
function splitRun(scan: Scan, from: number, start: number, end: number): number {
  const run = scan.text.slice(from, start).replace(/[-./ ()]+$/, '');
  if (countDigits(run) >= 5 && /\s$/.test(scan.text.slice(from, start))) groups(scan, from, run);
  return end;
}

function isDigitAt(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 48 && code <= 57;
}

function iban(scan: Scan, start: number): number {
  const end = endAt(IBAN_REST, scan.text, start);
  if (end < 0) return start;
  // Words may follow a grouped number: shorter by a group until it is one.
  for (let text = scan.text.slice(start, end); text.length >= 15; text = text.slice(0, Math.max(0, text.lastIndexOf(' ')))) {
    if (scan.check('IBAN_CODE', start, start + text.length, 4)) return start + text.length;
    if (!text.includes(' ')) break;
  }
  return start;
}

const MAC =
  /[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}(?![\w:-])|[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}(?![\w-])|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}(?![\w.])/y;

function macAt(scan: Scan, start: number, end: number): number {
  if (!/^[:.-]|[-.]/.test(scan.text.slice(start, end + 1).slice(2))) return 0;
  const last = endAt(MAC, scan.text, start);
  if (last < 0 || /[\w:-]/.test(scan.text[start - 1] ?? '')) return 0;
  return scan.check('MAC_ADDRESS', start, last, 3) ? last : 0;
}

function distinct(scan: Scan, start: number, end: number, token: string): boolean {
  if (
    token.length < 8 ||
    token.length > 24 ||
    token !== token.toUpperCase() ||
    /[\w-]/.test(scan.text[start - 1] ?? '') ||
    /[\w-]/.test(scan.text[end] ?? '')
  )
    return false;
  if (!MIXED_SHAPE.test(token)) return false;
  return distinctMixed.some((kind) => {
    if (kind.pattern?.test(token) !== true) return false;
    const near = kind.chance > 0.05 ? scan.isCued(start, kind) : true;
    return (near || scan.isBare(token)) && scan.check(kind.name, start, end, 4);
  });
}

/** Longer forms with separators: AB 12 34 56 C, 1EG4-TE5-MK73, S530-4607-9123. */
function extended(scan: Scan, start: number, end: number, more: string): number {
  const cue = scan.hasCueNear(start);
  const ends: number[] = [];
  // Each sign is followed by a letter or a digit.
  for (let at = 1; at <= more.length; at += 1) if (at === more.length || more.charCodeAt(at) < 48) ends.push(end + at);
  for (const stop of ends.slice(0, MOST_GROUPS).toReversed()) {
    const value = scan.text.slice(start, stop);
    if (value.length > 30) continue;
    if (distinct(scan, start, stop, value)) return stop;
    if (cue && !/[a-z] |\b[a-z]+$/.test(value) && withCue(scan, start, stop)) return stop;
  }
  return end;
}

/** A short text in which nothing was found may be a number as a whole: HKID, citizen cards. */
export function bareValue(scan: Scan): void {
  const value = scan.onlyValue;
  if (scan.found.length > 0 || value.length < 8 || value.length > 40 || countDigits(value) < 5) return;
  const start = scan.text.indexOf(value);
  bare(scan, start, start + value.length, value);
}

/** Letters and digits with spaces or dashes between; gives where it ends, or `end` where it is nothing. */
export function spacedToken(scan: Scan, start: number, end: number): number {
  if (/[\w-]/.test(scan.text[start - 1] ?? '')) return end;
  const more = scan.text.slice(end, endAt(TOKEN_MORE, scan.text, end));
  return more.length > 0 && more.length < 40 ? extended(scan, start, end, more) : end;
}

/** What stands behind the word for a secret. */
export function secretValue(scan: Scan, start: number, value: string): void {
  if (/^(?:string|null|undefined|true|false|required|optional|none|process\.|this\.|\$\{|\(|\{|\[|<)/i.test(value)) return;
  if (/[({]/.test(value) || isNameInCode(scan.text, start, value)) return;
  if (surenessOf(secretKind, value) > 0)
    scan.add({ type: 'SECRET', start, end: start + value.length, score: 0.7, validators: ['cue', 'entropy'], rank: 2 });
}

/** secret: Uint8Array) and password = user.pass1; are names of programs: behind a sign, with humps or points, before a sign of code. */
function isNameInCode(text: string, start: number, value: string): boolean {
  if (!/[:=(][ ]?$/.test(text.slice(Math.max(0, start - 2), start))) return false;
  const name = /^[A-Za-z_$][\w$]*(?:\??\.[A-Za-z_$][\w$]*)*/.exec(value)?.[0] ?? '';
  const after = value.length > name.length ? value.slice(name.length, name.length + 1) : (text[start + value.length] ?? '');
  return /[a-z]\d?[A-Z]|\./.test(name) && /[)\];<>|[?]/.test(after);
}

/** A date that is written out, or in figures; a birth date where a word says so. */
export function dateAt(scan: Scan, start: number): number {
  if (!mayBeDate(scan.text, start)) return start;
  const end = endAt(WRITTEN_DATE, scan.text, start);
  if (end < 0) return start;
  const written = scan.text.slice(start, end);
  if (/^\d{1,4}[-./]/.test(written) && readDay(written) === undefined) return start;
  scan.date(start, end);
  return end;
}

const MONTH_STARTS = new Set('jfmasonde'.split('').flatMap((letter) => [letter.charCodeAt(0), letter.charCodeAt(0) - 32]));

/** One to four digits and a sign, a letter, or a space and a letter; or what a month begins with. */
function mayBeDate(text: string, start: number): boolean {
  let at = start;
  while (at - start < 5 && isDigitAt(text, at)) at += 1;
  const after = text.charCodeAt(at);
  if (at === start) return MONTH_STARTS.has(after);
  if (after === 32) return text.charCodeAt(at + 1) > 57;
  return after > 57 || (after >= 45 && after <= 47);
}
