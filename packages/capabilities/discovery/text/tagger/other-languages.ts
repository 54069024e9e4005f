import type { Bench } from './decode.ts';
import { Flag, LABELS } from './features.ts';
import { hashOf, Shape, type Tokens } from './tokens.ts';

/*
 * The tagger has learnt sentences of English alone. In any other language it takes words for names as they come, whole clauses of them, and is
 * sure of it. There its labels are not believed: names come from the lists, which know those of sixty languages, and from the words beside them.
 */

const words = (text: string): ReadonlySet<number> => new Set(text.split(' ').map(hashOf));

/** Small words that no English sentence has, but within a name. Of nine languages, folded. */
const OTHER_WORDS = words(
  'der das dem des und ist nicht mit fur auf ein eine einen einer von zu wegen aus im bei uber nach wurde wird sich seit bitte herr herrn frau ' +
    'le les du une et est dans sur avec que qui aux depuis pas ne elle ses de la en un ' +
    'el los las del una con por para desde su se al hace ha ' +
    'il lo gli di della dei da che nel sono alla dalla ' +
    'het een van op uit voor zijn niet aan naar bij heeft wordt ' +
    'os um uma dos das em com nao ao pela pelo seu sua ' +
    'na nie jest sie oraz od przez och att det som pa ar av fran til ikke ble ' +
    'z w y wohnt heisst vive habite abita woont mora mieszka bor',
);
/** English has them too, so that they say nothing. */
const SHARED_WORDS = words(
  'in an am as was is on he we do no me so man die den hat war over om of also per via sin son come pour men dr prof don pan',
);
/** What may stand within a name in small letters. */
const PARTICLES = words('de la le van der den von zu zum di da do dos das del della du el al y e ten ter af bin ibn');
/** A name follows. */
const TITLES = words(
  'herr herrn frau senor senora sr sra don dona dr dra prof sig signor signora mme mlle monsieur madame heer mevrouw senhor senhora pan pani fru',
);
/** A place may follow. */
const BEFORE_PLACES = words('aus in nach bei von a de da di do desde para en em uit van te naar z ze w we fran i till til fra');

/** A street follows, with the number of the house behind it… */
const STREETS = words('calle avenida av plaza paseo rue avenue boulevard place via viale piazza corso rua travessa ulica ul');
/** …or is the end of its name. */
const STREET_ENDS = /(?:stra(?:ss|ß)e|str|weg|platz|gasse|allee|damm|ufer|laan|straat|plein|gracht|gatan|vägen|gade|vej)$/u;

/** Above what a list says by itself a word beside it counts. In log-odds. */
const MARGIN = { titled: 1.4, listed: 0.85, street: 0.85, place: 0.4 } as const;
const LONGEST_NAME = 6;
const LAST_ASCII = 0x7f;
/** Greek and what follows it: no letter of a Latin script. */
const FIRST_OTHER_SCRIPT = 0x3_70;

const label = (name: (typeof LABELS)[number]): number => LABELS.indexOf(name);
const ADDRESS = { begin: label('B-ADR'), inside: label('I-ADR') };

/** Labels the lines that are not English anew. `scale` is that of the margins. */
export function labelOtherLanguages(text: string, bench: Bench, scale: number): void {
  const { tokens } = bench;
  let from = 0;
  while (from < tokens.count) {
    let to = from;
    while (to < tokens.count && tokens.shapes[to] !== Shape.breakLine) to += 1;
    if (isOther(text, bench, { from, to })) relabel(text, bench, { from, to, scale });
    from = to + 1;
  }
}

type Line = { readonly from: number; readonly to: number };

/** More than one word says so, one of them for certain, and English words are fewer. */
function isOther(text: string, { tokens, flags }: Bench, { from, to }: Line): boolean {
  let [certain, other, english] = [0, 0, 0];
  for (let at = from; at < to; at += 1) {
    const shape = tokens.shapes[at] ?? 0;
    if (shape <= Shape.breakLine || shape === Shape.digits || shape === Shape.alnum) continue;
    const hash = tokens.hashes[at] ?? 0;
    if (text.charCodeAt(tokens.starts[at] ?? 0) >= FIRST_OTHER_SCRIPT) {
      certain += 1;
      other += 1;
    } else if (shape === Shape.lower || at === from) {
      if (SHARED_WORDS.has(hash) || isWithinName(tokens, { at, from, to })) continue;
      const flag = flags[at] ?? 0;
      if (OTHER_WORDS.has(hash) || TITLES.has(hash) || isAccented(text, tokens, at)) {
        certain += 1;
        other += 1;
      } else if (lengthOf(tokens, at) < 2) continue;
      else if ((flag & Flag.plain) !== 0) english += 1;
      else if ((flag & Flag.english) !== 0) english += 0.5;
      else if (shape === Shape.lower) other += 1;
    }
  }
  return other > 1 && (certain > 1 ? english < other : certain > 0 && english * 2 < other);
}

/** À, è, ó: small words of one letter. */
function isAccented(text: string, tokens: Tokens, at: number): boolean {
  return lengthOf(tokens, at) === 1 && text.charCodeAt(tokens.starts[at] ?? 0) >= LAST_ASCII;
}

/** Juan de la Cruz is a name in any language. */
function isWithinName({ shapes, hashes }: Tokens, { at, from, to }: Line & { readonly at: number }): boolean {
  if (!PARTICLES.has(hashes[at] ?? 0)) return false;
  let [before, after] = [at - 1, at + 1];
  while (before >= from && PARTICLES.has(hashes[before] ?? 0)) before -= 1;
  while (after < to && PARTICLES.has(hashes[after] ?? 0)) after += 1;
  return before >= from && after < to && isCapital(shapes[before]) && isCapital(shapes[after]);
}

function relabel(text: string, bench: Bench, { from, to, scale }: Line & { readonly scale: number }): void {
  const { tokens, labels, margins } = bench;
  for (let at = from; at < to;) at = endOfLabel(bench, { at, to });
  for (let at = from; at < to; at += 1) {
    if ((labels[at] ?? 0) !== 0) continue;
    const place = { at, from, to };
    const found =
      streetAt(text, tokens, place) ?? (isCapital(tokens.shapes[at]) ? (nameAt(bench, place) ?? placeAt(bench, place)) : undefined);
    if (found === undefined) continue;
    labels.fill(found.first + 1, at + 1, found.end).fill(found.first, at, at + 1);
    margins.fill(found.margin * scale, at, found.end);
    at = found.end - 1;
  }
}

/** Takes the label back that begins here, but that of an address which is a number and a name: those are written alike everywhere. */
function endOfLabel({ tokens, labels }: Bench, { at, to }: Pick<Line, 'to'> & { readonly at: number }): number {
  let end = at + 1;
  while (end < to && labels[end] === ADDRESS.inside) end += 1;
  if (labels[at] !== ADDRESS.begin || !isNumberAndName(tokens, at, end)) labels.fill(0, at, end);
  return end;
}

function isNumberAndName({ shapes, hashes }: Tokens, from: number, to: number): boolean {
  if (PARTICLES.has(hashes[from] ?? 0) || !shapes.subarray(from, to).some((shape) => shape === Shape.digits)) return false;
  for (let at = from; at < to; at += 1) {
    const hash = hashes[at] ?? 0;
    if (shapes[at] === Shape.lower && !STREETS.has(hash) && !PARTICLES.has(hash)) return false;
  }
  return true;
}

type Found = { readonly first: number; readonly end: number; readonly margin: number };

function nameAt({ tokens, flags }: Bench, { at, from, to }: Line & { readonly at: number }): Found | undefined {
  const isTitled = TITLES.has(wordBefore(tokens, at, from));
  if (!isTitled && ((flags[at] ?? 0) & Flag.given) === 0) return undefined;
  const hash = tokens.hashes[at] ?? 0;
  if (TITLES.has(hash) || OTHER_WORDS.has(hash)) return undefined;
  const end = endOfName(tokens, at, Math.min(to, at + LONGEST_NAME));
  // Half of all nouns are somebody's first name somewhere.
  if (!isTitled && end === at + 1) return undefined;
  return { first: label('B-PER'), end, margin: isTitled ? MARGIN.titled : MARGIN.listed };
}

/** Capitals, initials and hyphens, with particles where another capital follows. */
function endOfName({ shapes, hashes, starts, ends }: Tokens, at: number, most: number): number {
  let end = at + 1;
  for (let next = end; next < most; next += 1) {
    const isTouching = starts[next] === ends[next - 1];
    if (isCapital(shapes[next]) || shapes[next] === Shape.initial) end = next + 1;
    else if (!PARTICLES.has(hashes[next] ?? 0) && !(isTouching && shapes[next] === Shape.sign && isJoining(hashes[next] ?? 0)))
      break;
  }
  return end;
}

const JOINING = words('- .');
const isJoining = (hash: number): boolean => JOINING.has(hash);

function streetAt(
  text: string,
  { hashes, shapes, starts, ends }: Tokens,
  { at, to }: Line & { readonly at: number },
): Found | undefined {
  const isEnd = isCapital(shapes[at]) && STREET_ENDS.test(text.slice(starts[at], ends[at]));
  if (!isEnd && !STREETS.has(hashes[at] ?? 0)) return undefined;
  const most = Math.min(to, at + (isEnd ? 2 : LONGEST_NAME));
  for (let end = at + 1; end < most; end += 1) {
    const shape = shapes[end];
    if (shape === Shape.digits || shape === Shape.alnum) return { first: ADDRESS.begin, end: end + 1, margin: MARGIN.street };
    if (!isCapital(shape) && shape !== Shape.sign && !PARTICLES.has(hashes[end] ?? 0)) return undefined;
  }
  return undefined;
}

/** A place of the list behind a word that leads to one, or behind a postal code. */
function placeAt({ tokens, flags }: Bench, { at, from, to }: Line & { readonly at: number }): Found | undefined {
  const flag = flags[at] ?? 0;
  if ((flag & (Flag.place | Flag.placePart)) === 0 || at === from) return undefined;
  const isPostal = tokens.shapes[at - 1] === Shape.digits && lengthOf(tokens, at - 1) > 3;
  if (!isPostal && !BEFORE_PLACES.has(tokens.hashes[at - 1] ?? 0)) return undefined;
  let end = at + 1;
  while (end < to && ((flags[end] ?? 0) & Flag.placePart) !== 0 && isCapital(tokens.shapes[end])) end += 1;
  return { first: label('B-LOC'), end, margin: MARGIN.place };
}

/** Hash of the word before, past the dot of an abbreviation. */
function wordBefore({ shapes, hashes }: Tokens, at: number, from: number): number {
  const before = at - 1 > from && shapes[at - 1] === Shape.sign && isJoining(hashes[at - 1] ?? 0) ? at - 2 : at - 1;
  return before < from ? 0 : (hashes[before] ?? 0);
}

function lengthOf({ starts, ends }: Tokens, at: number): number {
  return (ends[at] ?? 0) - (starts[at] ?? 0);
}

function isCapital(shape: number | undefined): boolean {
  return shape === Shape.capital || shape === Shape.title;
}
