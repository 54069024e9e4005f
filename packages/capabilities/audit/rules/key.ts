/** The parts of a key's text: joined by `,`, within a part `,` is written `\,` and `\` is written `\\`. Capture writes no other text. */
export function splitKey(text: string): readonly string[] {
  const parts = [''];
  for (const [, escaped, plain] of text.matchAll(/\\([^]?)|([^\\])/gu)) {
    if (plain === ',') parts.push('');
    else parts[parts.length - 1] += escaped ?? plain ?? '';
  }
  return parts;
}

export function joinKey(parts: readonly string[]): string {
  return parts.map((part) => part.replaceAll('\\', '\\\\').replaceAll(',', '\\,')).join(',');
}

/** The key that a row has after a change that wrote these values; an UPDATE names the parts that it changed alone. */
export function keyAfter(
  record: string,
  key: readonly { readonly name: string }[],
  values: Readonly<Record<string, unknown>>,
): string {
  const parts = splitKey(record);
  return joinKey(
    key.map(({ name }, place) => {
      const written = values[name];
      return typeof written === 'string' ? written : (parts[place] ?? '');
    }),
  );
}
