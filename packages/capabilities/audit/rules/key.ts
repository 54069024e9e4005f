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
