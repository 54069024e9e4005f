/**
 * The values of a composite value as PostgreSQL prints it (manual, 8.16.6): in parentheses with commas between; nothing for null; in quotes
 * what is empty or holds a quote, backslash, parenthesis, comma or blank, with quotes and backslashes doubled.
 *
 * @throws `RangeError` where it is none.
 */
export function rowValues(text: string): readonly (string | null)[] {
  if (!text.startsWith('(') || !text.endsWith(')')) throw new RangeError('A composite value stands in parentheses');
  const values: (string | null)[] = [];
  const last = text.length - 1;
  for (let at = 1; ; at += 1) {
    if (text[at] === '"') {
      const end = endOfQuoted(text, at + 1, last);
      const inside = text.slice(at + 1, end);
      values.push(/["\\]/.test(inside) ? inside.replaceAll(/(["\\])\1/g, '$1') : inside);
      at = end + 1;
    } else {
      const comma = text.indexOf(',', at);
      const end = comma === -1 ? last : comma;
      values.push(end === at ? null : text.slice(at, end));
      at = end;
    }
    if (at === last) return values;
    if (text[at] !== ',') throw new RangeError('The values of a composite value have commas between them');
  }
}

/** The place of the quote that ends it. */
function endOfQuoted(text: string, from: number, last: number): number {
  for (let at = from; at < last; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '"') {
      if (text[at + 1] !== '"') return at;
      at += 1;
    }
  }
  throw new RangeError('A quote of a composite value does not end');
}
