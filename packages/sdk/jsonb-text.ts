/** PostgreSQL itself has no number for it, but its stack ends somewhere; nothing that a person keeps is nested as deep. */
const DEPTH_AT_MOST = 1_000;
/** Digits before and after the point that numeric holds (manual 8.1.2). */
const WHOLE_DIGITS_AT_MOST = 131_072;
const FRACTION_DIGITS_AT_MOST = 16_383;

const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|[[\]{}:,]/g;

/**
 * What a column of jsonb prints for a JSON text that JSON.parse takes: keys once each, the shorter first, one space behind `,` and `:`,
 * numbers as numeric prints them (manual 8.14). Undefined for what jsonb does not hold: NUL, half a surrogate pair, numbers out of range.
 */
export function jsonbText(text: string): string | undefined {
  const tokens = text.matchAll(TOKENS);
  const next = (): string => tokens.next().value?.[0] ?? '';
  const value = (token: string, depth: number): string | undefined => {
    if (depth > DEPTH_AT_MOST) return undefined;
    if (token === '{') return object(depth);
    if (token === '[') return array(depth);
    if (token.startsWith('"')) return stringText(token);
    return /^[-\d]/.test(token) ? numberText(token) : token;
  };
  const array = (depth: number): string | undefined => {
    const items: string[] = [];
    for (let token = next(); token !== ']'; token = next()) {
      if (token === ',') continue;
      const item = value(token, depth + 1);
      if (item === undefined) return undefined;
      items.push(item);
    }
    return `[${items.join(', ')}]`;
  };
  const object = (depth: number): string | undefined => {
    const members = new Map<string, string>();
    for (let token = next(); token !== '}'; token = next()) {
      if (token === ',') continue;
      const key = stringText(token);
      next();
      const member = value(next(), depth + 1);
      if (key === undefined || member === undefined) return undefined;
      members.set(key, member);
    }
    const ordered = [...members]
      .map(([key, member]) => ({ key, member, bytes: keyBytes(key) }))
      .toSorted((a, b) => compareKeys(a.bytes, b.bytes));
    return `{${ordered.map(({ key, member }) => `${key}: ${member}`).join(', ')}}`;
  };
  return value(next(), 0);
}

/** JSON.stringify escapes what PostgreSQL escapes, in the same letters. */
function stringText(token: string): string | undefined {
  const text = decoded(token);
  return text.isWellFormed() && !text.includes('\0') ? JSON.stringify(text) : undefined;
}

function keyBytes(key: string): Buffer {
  return Buffer.from(decoded(key), 'utf8');
}

function decoded(token: string): string {
  // A token that begins with a quotation mark is a string.
  return JSON.parse(token) as string;
}

function compareKeys(a: Buffer, b: Buffer): number {
  return a.length - b.length || Buffer.compare(a, b);
}

/** `1e2` is 100, `1.50` stays so, and no zero has a sign. */
function numberText(token: string): string | undefined {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(token) ?? [];
  const shift = Number(exponent);
  if (Math.abs(shift) > WHOLE_DIGITS_AT_MOST) return undefined;
  const point = whole.length + shift;
  const digits = `${'0'.repeat(Math.max(0, 1 - point))}${whole}${fraction}`.padEnd(point, '0');
  const at = Math.max(1, point);
  const front = digits.slice(0, at).replace(/^0+(?=\d)/, '');
  const behind = digits.slice(at);
  if (front.length > WHOLE_DIGITS_AT_MOST || behind.length > FRACTION_DIGITS_AT_MOST) return undefined;
  const shown = behind === '' ? front : `${front}.${behind}`;
  return /[1-9]/.test(shown) ? `${sign}${shown}` : shown;
}
