/**
 * The columns of a row that the server wrote as one text (`t::text`), null for a null; undefined where it is no such text.
 * https://www.postgresql.org/docs/current/rowtypes.html#ROWTYPES-IO-SYNTAX
 */
export function columnsOfRow(text: string): readonly (string | null)[] | undefined {
  if (!text.startsWith('(') || !text.endsWith(')')) return undefined;
  const columns: (string | null)[] = [];
  const end = text.length - 1;
  for (let at = 1; at <= end; at += 1) {
    if (text[at] === '"') {
      const quoted = quotedFrom(text, at);
      if (quoted === undefined) return undefined;
      columns.push(quoted.value);
      at = quoted.end;
    } else {
      const comma = text.indexOf(',', at);
      const stop = comma === -1 ? end : comma;
      columns.push(stop === at ? null : text.slice(at, stop));
      at = stop;
    }
    if (at < end && text[at] !== ',') return undefined;
  }
  return columns;
}

/** A value in quotes, in which quotes and backslashes stand twice, and the place behind it. */
function quotedFrom(text: string, start: number): { readonly value: string; readonly end: number } | undefined {
  let value = '';
  for (let at = start + 1; at < text.length; at += 1) {
    const sign = text[at] ?? '';
    if (sign === '"' && text[at + 1] !== '"') return { value, end: at + 1 };
    if (sign === '"' || sign === '\\') at += 1;
    value += text[at] ?? '';
  }
  return undefined;
}
