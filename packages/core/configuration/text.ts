import type { TObject, TSchema } from 'typebox';
import Schema from 'typebox/schema';

/** Whether a setting or flag is a switch, a list, or takes one value. */
export function kindOf(schema: TSchema): 'boolean' | 'list' | 'number' | 'text' {
  const type = 'type' in schema ? schema.type : undefined;
  if (type === 'boolean') return 'boolean';
  if (type === 'array') return 'list';
  if (type === 'integer' || type === 'number') return 'number';
  return 'text';
}

/** The allowed words of a union of literals; empty for anything else. */
export function choicesOf(schema: TSchema): readonly string[] {
  const members = 'anyOf' in schema && Array.isArray(schema.anyOf) ? schema.anyOf : [];
  return members.flatMap((member: unknown) =>
    typeof member === 'object' && member !== null && 'const' in member && typeof member.const === 'string' ? [member.const] : [],
  );
}

/** Reads what somebody typed. What does not fit is handed on as text, so that validation can name it. */
export function fromText(schema: TSchema, text: string): unknown {
  const kind = kindOf(schema);
  if (kind === 'boolean') return /^(true|yes|on|1)$/i.test(text) ? true : /^(false|no|off|0)$/i.test(text) ? false : text;
  if (kind === 'number') return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
  if (kind === 'list') return text.split(',').map((part) => part.trim());
  return text;
}

/** What is wrong with a value, in words; `undefined` when nothing is. */
export function faultOf(schema: TSchema, value: unknown): string | undefined {
  if (Schema.Check(schema, value)) return undefined;
  const choices = choicesOf(schema);
  if (choices.length > 0) return `must be one of ${choices.join(', ')}`;
  return Schema.Errors(schema, value)[1][0]?.message ?? 'is not valid';
}

/** What was typed, with the defaults of what was not. */
export function withDefaults({ properties }: TObject, typed: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const defaults = Object.entries<TSchema>(properties).flatMap(([key, schema]): [string, unknown][] =>
    'default' in schema && typed[key] === undefined ? [[key, structuredClone(schema.default)]] : [],
  );
  return { ...typed, ...Object.fromEntries(defaults) };
}

/** The known word that `typed` was probably meant to be: at most two edits away. */
export function suggestionFor(typed: string, known: readonly string[]): string | undefined {
  const [best] = known
    .map((word) => ({ word, edits: editDistance(typed.toLowerCase(), word.toLowerCase()) }))
    .filter(({ edits }) => edits <= 2)
    .toSorted((a, b) => a.edits - b.edits);
  return best?.word;
}

// Levenshtein, one row at a time. Words of the command line are short.
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      next.push(Math.min((row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1, (row[j] ?? 0) + (letter === other ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
