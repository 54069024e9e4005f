/**
 * Changes of a batch as capture writes them: `part,part:PLACEtoken:PLACEtoken;part,…`. First the parts (the key, and what leads to people),
 * each once, then what else is not null with its place in the list that the change is. A token is bare (digits, or the hexadecimal digits and dashes
 * of a UUID), `NULL`, or quoted as quote_nullable of PostgreSQL does it (manual, 9.4).
 */
export type ChangeLayout = {
  /** Of each of the first places of the list, the part that stands there. */
  readonly parts: readonly number[];
  /** Places of the whole list. */
  readonly width: number;
};

type Token = { readonly value: string | null; readonly end: number };

/** The list of each change; null where nothing was written. @throws `RangeError` where the text is none. */
export function changesOf(text: string, layout: ChangeLayout): readonly (readonly (string | null)[])[] {
  const changes: (string | null)[][] = [];
  for (let at = 0; ; at += 1) {
    const parts: (string | null)[] = [];
    for (let isPart = true; isPart; isPart = text[at] === ',') {
      const { value, end } = tokenAt(text, parts.length === 0 ? at : at + 1);
      parts.push(value);
      at = end;
    }
    const change = Array<string | null>(layout.width).fill(null);
    layout.parts.forEach((part, place) => (change[place] = parts[part] ?? null));
    while (text[at] === ':') {
      const place = numberAt(text, at + 1);
      const { value, end } = tokenAt(text, place.end);
      if (place.value >= layout.width) throw new RangeError('A value of a change has a place beyond its end');
      change[place.value] = value;
      at = end;
    }
    changes.push(change);
    if (at === text.length) return changes;
    if (text[at] !== ';') throw new RangeError('Changes have semicolons between them');
  }
}

function numberAt(text: string, at: number): { readonly value: number; readonly end: number } {
  let [value, end] = [0, at];
  for (let digit = text.charCodeAt(end) - 48; digit >= 0 && digit <= 9; digit = text.charCodeAt(end) - 48) {
    value = value * 10 + digit;
    end += 1;
  }
  if (end === at) throw new RangeError('A value of a change has no place');
  return { value, end };
}

function tokenAt(text: string, at: number): Token {
  if (text[at] === "'") return quotedAt(text, at + 1, /''/g);
  if (text[at] === 'E') return quotedAt(text, at + 2, /(['\\])\1/g);
  let end = at;
  while (end < text.length && !',:;'.includes(text[end] ?? '')) end += 1;
  const value = text.slice(at, end);
  if (value === '') throw new RangeError('A value of a change is missing');
  return { value: value === 'NULL' ? null : value, end };
}

/** Quotes are doubled within; with an E before, backslashes too. */
function quotedAt(text: string, from: number, doubled: RegExp): Token {
  let end = text.indexOf("'", from);
  while (end !== -1 && text[end + 1] === "'") end = text.indexOf("'", end + 2);
  if (end === -1) throw new RangeError('A quote of a change does not end');
  return { value: text.slice(from, end).replace(doubled, (pair) => pair.slice(1)), end: end + 1 };
}
