/** A GLOB pattern as a regular expression of PostgreSQL: `*` any text, `?` one character, `[a-z]` and `[^a-z]` sets. */
export function globToRegex(glob: string): string {
  let regex = '';
  const characters = [...glob];
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at] ?? '';
    if (character === '*') regex += '.*';
    else if (character === '?') regex += '.';
    else if (character === '[') {
      const set = readSet(characters, at);
      // Without its closing bracket the pattern matches nothing in SQLite.
      if (set === null) return '$.';
      regex += set.regex;
      at = set.end;
    } else regex += escapeRegex(character);
  }
  return `^${regex}$`;
}

/** A `]` that comes first belongs to the set. */
function readSet(characters: readonly string[], start: number): { readonly regex: string; readonly end: number } | null {
  const negated = characters[start + 1] === '^';
  const first = start + (negated ? 2 : 1);
  const end = characters.indexOf(']', first + 1);
  if (end < 0) return null;
  const members = characters
    .slice(first, end)
    .map((member, at, all) => (member === '-' && at > 0 && at < all.length - 1 ? '-' : escapeSetMember(member)));
  return { regex: `[${negated ? '^' : ''}${members.join('')}]`, end };
}

function escapeRegex(character: string): string {
  return /[\\^$.|?*+()[\]{}]/.test(character) ? `\\${character}` : character;
}

function escapeSetMember(character: string): string {
  return /[\\\]^[-]/.test(character) ? `\\${character}` : character;
}
