import type { Person, RecordKey } from '../model.ts';

/** A key as one text: parts joined by `,`; within a part `,` is written `\,` and `\` is written `\\`. safekeep.key_part does the same. */
export function formatKey(key: RecordKey): string {
  return key.map((part) => part.replaceAll('\\', '\\\\').replaceAll(',', '\\,')).join(',');
}

/** The parts of a key, or what is wrong with its text. */
export function parseKey(text: string): RecordKey | { readonly fault: string } {
  const parts = [''];
  for (const [, escaped, plain] of text.matchAll(/\\([^]?)|([^\\])/gu)) {
    if (escaped !== undefined && escaped !== ',' && escaped !== '\\')
      return { fault: 'after a backslash a comma or a backslash must follow' };
    if (plain === ',') parts.push('');
    else parts[parts.length - 1] += escaped ?? plain ?? '';
  }
  return text === '' ? { fault: 'the key is empty' } : parts;
}

export function formatPerson({ type, key }: Person): string {
  return `${type}:${formatKey(key)}`;
}
