/**
 * JSON as jsonb prints it (PostgreSQL manual, 8.14): keys once, the shorter first, then by their bytes; a blank after each colon and comma;
 * numbers without exponent. An event's commitment is over what the database will print of its details, without asking it first.
 *
 * @throws `TypeError` for what is no JSON.
 */
export function jsonbText(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'boolean':
      return String(value);
    case 'number':
      return numberText(value);
    case 'object':
      if (value === null) return 'null';
      if (Array.isArray(value)) return `[${value.map(jsonbText).join(', ')}]`;
      return objectText(value);
    default:
      throw new TypeError(`JSON has no ${typeof value}`);
  }
}

function objectText(value: object): string {
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  if (entries.length > 1) entries.sort(([one], [other]) => byLength(one, other));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}: ${jsonbText(item)}`).join(', ')}}`;
}

/** In UTF-8. */
function byLength(one: string, other: string): number {
  const [left, right] = [Buffer.from(one, 'utf8'), Buffer.from(other, 'utf8')];
  return left.length - right.length || Buffer.compare(left, right);
}

function numberText(value: number): string {
  if (!Number.isFinite(value)) throw new TypeError('JSON has no infinite numbers');
  const [mantissa = '', exponent] = String(value).split('e');
  if (exponent === undefined) return mantissa;
  const [, sign = '', whole = '', fraction = ''] = /^(-?)(\d+)\.?(\d*)$/.exec(mantissa) ?? [];
  const digits = whole + fraction;
  const point = whole.length + Number(exponent);
  return point <= 0 ? `${sign}0.${'0'.repeat(-point)}${digits}` : `${sign}${digits.padEnd(point, '0')}`;
}
