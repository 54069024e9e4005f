import { alnumToken, bareValue, CUES, dateAt, numericRun, secretValue, spacedToken, type Scan } from './candidates.ts';
import { PEM_SOURCE } from '../kinds/secrets.ts';
import { endAt } from './sticky.ts';

const OTHER = 0;
const LETTER = 1;
const DIGIT = 2;
const UNDERSCORE = 3;
/** Beyond ASCII: a letter, but for the signs and spaces of General Punctuation. */
const FOREIGN = 4;
const SPACE_LIKE = 5;

const CLASS = Uint8Array.from({ length: 65_536 }, (_, code) => {
  if (code >= 128) return code >= 0x2000 && code <= 0x206f ? SPACE_LIKE : FOREIGN;
  if (code >= 48 && code <= 57) return DIGIT;
  if (code === 95) return UNDERSCORE;
  return (code >= 65 && code <= 90) || (code >= 97 && code <= 122) ? LETTER : OTHER;
});

/** Words that a secret may begin with, by a hash of three units: the sticky pattern decides. */
const SECRET_STARTS = new Uint8Array(1 << 12);
for (const start of 'AKI ASI ARO AID ghp gho ghu ghs ghr git AIz xox sk_ pk_ rk_ sk- glp npm dop hf_ shp eyJ AGE pbk scr SCR SK0 SK1 SK2 SK3 SK4 SK5 SK6 SK7 SK8 SK9 SKa SKb SKc SKd SKe SKf'.split(
  ' ',
)) {
  SECRET_STARTS[startKey(start.charCodeAt(0), start.charCodeAt(1), start.charCodeAt(2))] = 1;
}

/** The shortest word is that before the first dot of a token; a shorter one goes on behind a sign. */
function mayBeSecret(units: Uint16Array, start: number, end: number): boolean {
  if (end - start < 11) {
    const after = units[end];
    if (after !== 45 && after !== 36 && after !== 58) return false;
  }
  return SECRET_STARTS[startKey(units[start] ?? 0, units[start + 1] ?? 0, units[start + 2] ?? 0)] === 1;
}

function startKey(first: number, second: number, third: number): number {
  return ((first * 31 + second) * 31 + third) & 4_095;
}

const API_KEY =
  /(?:(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9_]{22,251}|AIza[\w-]{35}|xox[abprs]-[A-Za-z0-9-]{10,250}|(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{16,99}|glpat-[\w-]{20,50}|npm_[A-Za-z0-9]{36}|SK[0-9a-f]{32}|sk-(?:ant-|proj-)?[\w-]{20,200}|dop_v1_[0-9a-f]{64}|hf_[A-Za-z0-9]{34}|shpat_[0-9a-fA-F]{32})(?![A-Za-z0-9])/y;
const SENDGRID = /SG\.[\w-]{22}\.[\w-]{43}(?![\w-])/y;
const JWT = /eyJ[\w-]{8,2000}\.[\w-]{4,4000}(?:\.[\w-]{0,2000}){1,3}/y;
const NAMED_SECRET =
  /(?:pass(?:word|wd|phrase|wort)|pwd|secret|kennwort|mot de passe|contraseña|(?:api|access|secret)[_-]?key|(?:access|auth)[_-]?token|client[_-]?secret)["']?(?: is| ist)?\s{0,3}(?:[:=]|=>|is\b|ist\b|\s)\s{0,3}["']?([^\s"',;<>`]{6,128})/iy;
const HASH =
  /\$2[abxy]\$\d{2}\$[./A-Za-z0-9]{53}|\$argon2(?:id|i|d)\$v=\d{1,3}\$[a-z0-9,=]{5,60}\$[A-Za-z0-9+/=]{4,128}\$[A-Za-z0-9+/=]{16,256}|\$(?:1|5|6|y|7|scrypt|pbkdf2(?:-sha(?:1|256|512))?)\$[^\s$]{1,64}\$(?:[^\s$]{1,64}\$)?[./A-Za-z0-9+=]{16,256}/y;
const NAMED_HASH =
  /pbkdf2_sha(?:1|256)\$\d{1,8}\$[A-Za-z0-9]{1,64}\$[A-Za-z0-9+/=]{20,128}|scrypt:\d{1,8}:\d{1,3}:\d{1,3}\$[^\s$]{1,64}\$[0-9a-f]{64,256}|SCRAM-SHA-256\$\d{1,8}:[A-Za-z0-9+/=]{8,64}\$[A-Za-z0-9+/=]{30,60}:[A-Za-z0-9+/=]{30,60}/y;
const LDAP_HASH = /\{S?SHA(?:256|512)?\}[A-Za-z0-9+/=]{20,128}/y;
const PEM = new RegExp(PEM_SOURCE, 'y');
const TRACK = /%B\d{12,19}\^[^^?]{2,26}\^\d{7}[^?]{0,60}\?|;\d{12,19}=\d{7}\d{0,20}\?/y;

const LOCAL = /[\p{L}\p{N}.!#$%&'*+/=?^_`{|}~-]/u;
const DOMAIN = /(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.){1,8}(?:xn--[a-z0-9-]{2,59}|\p{L}{2,24})(?![\p{L}\p{N}])/uy;
const URL_REST = /[^\s<>"'`|\\^{}\u3000-\u303F]{3,2000}/y;
const WWW = /www\.[\p{L}\p{N}-]{1,63}(?:\.[\p{L}\p{N}-]{1,63}){1,8}(?::\d{1,5})?(?:\/[^\s<>"'`|\\^{}]{0,2000})?/iuy;
const BARE_DOMAIN = /\.(?:com|org|net|edu|gov)(?![\w.([@-])/y;
const IPV6 = /[0-9A-Fa-f:]{2,39}(?:(?:\.\d{1,3}){3})?(?![\w:])/y;
const LONGEST_LOCAL = 64;

/** All that shapes and checks find, in one pass over the text. */
export function scanStructured(scan: Scan): void {
  const { units } = scan;
  const { length } = scan.text;
  let at = 0;
  while (at < length) {
    const code = units[at] ?? 0;
    const kind = CLASS[code];
    if (kind === OTHER) at = code === 32 ? at + 1 : sign(scan, at, code);
    else if (kind === DIGIT) at = passed(scan, at, numericRun(scan, at));
    else at = word(scan, at);
  }
  bareValue(scan);
}

function passed(scan: Scan, start: number, end: number): number {
  scan.near.lookInto(start, end);
  return end;
}

function word(scan: Scan, start: number): number {
  const { units } = scan;
  let at = start;
  while (CLASS[units[at] ?? 0] === LETTER) at += 1;
  if (CLASS[units[at] ?? 0] === OTHER) return plainWord(scan, start, at);
  return mixedWord(scan, start, at);
}

/** Nothing but letters of ASCII: most of what stands in a text. */
function plainWord(scan: Scan, start: number, end: number): number {
  const { units } = scan;
  const isCue = markCue(scan, start, end);
  if (mayBeSecret(units, start, end)) {
    const taken = secretWord(scan, start);
    if (taken > start) return passed(scan, end, taken);
  }
  if (isCue) namedSecret(scan, start);
  return lettersAlone(scan, start, end);
}

/** Whether the word here speaks for some kind; where it ends is remembered. */
function markCue(scan: Scan, start: number, end: number): boolean {
  const cue = CUES.cueAt(scan.text, scan.units, start);
  if (cue === 0) return false;
  scan.cueAt = end;
  scan.near.mark(start, cue);
  return true;
}

function namedSecret(scan: Scan, start: number): void {
  NAMED_SECRET.lastIndex = start;
  const named = NAMED_SECRET.exec(scan.text);
  if (named?.[1] !== undefined) secretValue(scan, start + named[0].length - named[1].length, named[1]);
}

/** A word without digits may begin a number in parts, or a date. */
function lettersAlone(scan: Scan, start: number, end: number): number {
  const { units } = scan;
  const after = units[end];
  if (end - start > LONGEST_MONTH || (after !== 32 && after !== 45 && after !== 46)) return end;
  if (end - start <= 4 && beginsSpaced(scan, start, end)) {
    const taken = spacedToken(scan, start, end);
    if (taken > end) return passed(scan, end, taken);
  }
  monthAt(scan, start, end);
  return end;
}

const LONGEST_MONTH = 9;

/** A month in front: March 3, 2020. */
function monthAt(scan: Scan, start: number, end: number): void {
  const { units } = scan;
  if (end - start < 3 || end - start > LONGEST_MONTH || (units[end] !== 32 && units[end] !== 46)) return;
  if (isDigit(units, end + 1) || isDigit(units, end + 2)) dateAt(scan, start);
}

/** A word with digits, underscores or letters of other scripts, whose first letters were read. */
function mixedWord(scan: Scan, start: number, read: number): number {
  const { text, units } = scan;
  let at = read;
  let digits = 0;
  let foreign = false;
  let parts = false;
  for (; at < text.length; at += 1) {
    const kind = CLASS[units[at] ?? 0];
    if (kind === LETTER) continue;
    if (kind === OTHER || kind === SPACE_LIKE) break;
    // Scripts without spaces: a number begins where the letters end.
    if (kind === DIGIT && foreign && digits === 0) break;
    if (kind === DIGIT) digits += 1;
    if (kind === FOREIGN) foreign = true;
    else parts = true;
  }
  if (at === start) {
    scan.near.passOver(start + 1);
    return start + 1;
  }
  const isCue = !foreign && markCue(scan, start, at);
  if (foreign) {
    scan.cueAt = at;
    scan.near.passOver(at);
  }
  if (parts) scan.near.lookInto(start + 1, at);
  if (mayBeSecret(units, start, at)) {
    const end = secretWord(scan, start);
    if (end > start) return passed(scan, at, end);
  }
  if (digits > 0 && !foreign) return passed(scan, at, alnumToken(scan, start, at, digits));
  if (isCue) namedSecret(scan, start);
  if (!foreign) return lettersAlone(scan, start, at);
  monthAt(scan, start, at);
  return at;
}

/** AB 12 34 56 C: letters and digits apart. Small letters are of a number only where a word speaks for it, and never before a space. */
function beginsSpaced(scan: Scan, start: number, end: number): boolean {
  const { units } = scan;
  const after = units[end];
  if ((after !== 32 && after !== 45) || !isDigit(units, end + 1)) return false;
  return (units[end - 1] ?? 0) < 97 || (after === 45 && scan.hasCueNear(start));
}

function isDigit(units: Uint16Array, place: number): boolean {
  const code = units[place] ?? 0;
  return code >= 48 && code <= 57;
}

function secretWord(scan: Scan, start: number): number {
  const { text } = scan;
  const jwt = endAt(JWT, text, start);
  if (jwt >= 0 && scan.check('JWT', start, jwt, 4)) return jwt;
  const key = endAt(API_KEY, text, start);
  if (key >= 0 && scan.check('API_KEY', start, key, 3)) return key;
  const hash = endAt(NAMED_HASH, text, start);
  if (hash >= 0 && scan.check('PASSWORD_HASH', start, hash, 4)) return hash;
  if (text.startsWith('AGE-SECRET-KEY-1', start) && scan.check('PRIVATE_KEY', start, start + 74, 4)) return start + 74;
  return start;
}

/** Anything that is neither letter nor digit; gives the place to go on. */
function sign(scan: Scan, at: number, code: number): number {
  const end = signed(scan, at, code);
  return end > at + 1 ? passed(scan, at, end) : end;
}

function signed(scan: Scan, at: number, code: number): number {
  switch (code) {
    case 64:
      return email(scan, at);
    case 58:
      return colon(scan, at);
    case 46:
      return dot(scan, at);
    case 36:
      return fixed(scan, HASH, 'PASSWORD_HASH', at);
    case 123:
      return fixed(scan, LDAP_HASH, 'PASSWORD_HASH', at);
    case 37:
    case 59:
      return fixed(scan, TRACK, 'CARD_TRACK', at);
    case 45:
      if (scan.text.startsWith('-----BEGIN', at)) return fixed(scan, PEM, 'PRIVATE_KEY', at);
      // A rule of dashes is passed over at once.
      return at + 1;
    default:
      return at + 1;
  }
}

function fixed(scan: Scan, pattern: RegExp, type: string, at: number): number {
  const end = endAt(pattern, scan.text, at);
  return end >= 0 && scan.check(type, at, end, 4) ? end : at + 1;
}

function email(scan: Scan, at: number): number {
  const { text } = scan;
  let start = at;
  // `=` and `&` may stand in a local part: in ?to=a@b.org&to=c@d.org it does not reach back into the address before.
  const least = Math.max(scan.addressEnd, at - LONGEST_LOCAL);
  while (start > least && LOCAL.test(text[start - 1] ?? '')) start -= 1;
  // The pieces of a surrogate pair are letters only together: letters beyond the BMP are not looked for in a local part.
  while (start < at && /[.!#$%&'*+/=?^`{|}~-]/.test(text[start] ?? '')) start += 1;
  if (start === at) return at + 1;
  const end = endAt(DOMAIN, text, at + 1);
  if (end < 0) return at + 1;
  if (!scan.check('EMAIL_ADDRESS', start, end, 3)) return at + 1;
  scan.addressEnd = end;
  return end;
}

function colon(scan: Scan, at: number): number {
  const { text } = scan;
  if (text.startsWith('//', at + 1)) {
    let start = at;
    while (start > 0 && at - start < 6 && /[a-z]/i.test(text[start - 1] ?? '')) start -= 1;
    // One inside another says nothing more.
    if (at < scan.urlEnd || !/^(?:https?|ftp)$/i.test(text.slice(start, at))) return at + 3;
    const rest = endAt(URL_REST, text, at + 3);
    if (rest < 0) return at + 3;
    const end = trimUrl(text, start, rest);
    scan.add({ type: 'URL', start, end, score: 0.9, validators: [], rank: 2 });
    scan.urlEnd = end;
    // What is checked inside of it is found still: a card, an address, a key. The URL stays the longer finding of lower rank.
    return at + 3;
  }
  // IPv6: from the first hexadecimal group before the first colon.
  const next = text.charCodeAt(at + 1);
  if (next !== 58 && !isHex(next)) return at + 1;
  let start = at;
  while (start > 0 && at - start < 4 && isHex(text.charCodeAt(start - 1))) start -= 1;
  // hh:mm:ss is most of what has colons.
  if (
    at - start <= 2 &&
    text.charCodeAt(at + 3) !== 58 &&
    next !== 58 &&
    text.charCodeAt(at + 4) !== 58 &&
    text.charCodeAt(at + 5) !== 58
  )
    return at + 1;
  if (/[\w:.]/.test(text[start - 1] ?? '')) return at + 1;
  const end = endAt(IPV6, text, start);
  if (end < 0) return at + 1;
  const address = text.slice(start, end);
  if (address.split(':').length < 3) return at + 1;
  if (/^(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$/.test(address)) return scan.check('MAC_ADDRESS', start, end, 3) ? end : at + 1;
  // ::1 and the like are no machine of a person; a time of day (10:20:30) is no address.
  return address.replaceAll(':', '').length >= 4 && scan.check('IP_ADDRESS', start, end, 3) ? end : at + 1;
}

function isHex(code: number): boolean {
  return (code >= 48 && code <= 57) || (code >= 65 && code <= 70) || (code >= 97 && code <= 102);
}

function trimUrl(text: string, start: number, end: number): number {
  let last = end;
  while (last > start && /[.,;:!?)\]'*]/.test(text[last - 1] ?? '')) {
    if (text[last - 1] === ')' && text.slice(start, last).includes('(')) break;
    last -= 1;
  }
  return last;
}

function dot(scan: Scan, at: number): number {
  const { text } = scan;
  if (at >= scan.urlEnd && (text.charCodeAt(at - 1) | 32) === 119 && text.slice(at - 3, at).toLowerCase() === 'www') {
    const whole = endAt(WWW, text, at - 3);
    if (whole >= 0 && !/[\w.]/.test(text[at - 4] ?? '')) {
      const end = trimUrl(text, at - 3, whole);
      scan.add({ type: 'URL', start: at - 3, end, score: 0.85, validators: [], rank: 2 });
      scan.urlEnd = end;
      return at + 1;
    }
  }
  if (text.charCodeAt(at - 2) === 83 && text.charCodeAt(at - 1) === 71) {
    const key = endAt(SENDGRID, text, at - 2);
    if (key >= 0 && scan.check('API_KEY', at - 2, key, 3)) return key;
  }
  const end = at < scan.urlEnd ? -1 : endAt(BARE_DOMAIN, text, at);
  if (end < 0) return at + 1;
  let start = at;
  while (start > 0 && at - start < 80 && /[A-Za-z0-9.-]/.test(text[start - 1] ?? '')) start -= 1;
  while (start < at && /[.-]/.test(text[start] ?? '')) start += 1;
  if (at - start < 2 || /[@/\\_:$#]/.test(text[start - 1] ?? '')) return at + 1;
  scan.add({ type: 'URL', start, end, score: 0.5, validators: [], rank: 1 });
  return end;
}
