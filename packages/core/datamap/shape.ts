import type { TSchema } from 'typebox';
import { suggestionFor } from '../configuration/text.ts';
import { isMapping } from '../mapping.ts';

/** The keys that lead to a place in the file: `['tables', 'public.patients', 'columns', 'ssn', 'protect']`. */
export type MapPointer = readonly (string | number)[];

export type ShapeFault = {
  readonly code: 'unknown-key' | 'missing-key' | 'wrong-value';
  readonly pointer: MapPointer;
  readonly message: string;
  /** What was probably meant, or what may stand there. */
  readonly remedy: string;
};

/**
 * Where a value does not have the shape of a schema, every place at once, each with what may stand there instead.
 *
 * Knows what file-schema.ts uses of JSON Schema and refuses anything else. The library's own errors name every branch of every
 * union that did not fit; a person who mistyped one key wants to hear of that key.
 */
export function shapeFaults(schema: TSchema, value: unknown, pointer: MapPointer = []): readonly ShapeFault[] {
  const form = formOf(schema);
  if (form.anyOf !== undefined || form.enum !== undefined) return unionFaults([schema], value, pointer);
  if (form.const !== undefined) return value === form.const ? [] : [wrong(pointer, `must be ${JSON.stringify(form.const)}`)];
  if (form.type === 'object')
    return isMapping(value) ? mappingFaults(form, value, pointer) : [wrong(pointer, 'must be a mapping of keys')];
  if (form.type === 'array') return Array.isArray(value) ? listFaults(form, value, pointer) : [wrong(pointer, 'must be a list')];
  if (form.type === 'string')
    return typeof value === 'string' ? textFaults(form, value, pointer) : [wrong(pointer, 'must be text')];
  if (kindOf(value) === form.type) return [];
  return [wrong(pointer, `must be ${NAMES[form.type ?? ''] ?? 'something else'}`)];
}

const NAMES: Readonly<Record<string, string>> = {
  boolean: 'true or false',
  number: 'a number',
  null: 'null',
  string: 'text',
  object: 'a mapping of keys',
  array: 'a list',
};

/** The part of JSON Schema that the definition of the map uses. */
type Form = {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly TSchema[];
  readonly properties?: Readonly<Record<string, TSchema>>;
  readonly patternProperties?: Readonly<Record<string, TSchema>>;
  readonly required?: readonly string[];
  readonly items?: TSchema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly description?: string;
};

function formOf(schema: TSchema): Form {
  // Every schema given here is built by file-schema.ts, of these keywords only.
  return schema;
}

function wrong(pointer: MapPointer, message: string, remedy = 'Write a value that fits.'): ShapeFault {
  return { code: 'wrong-value', pointer, message, remedy };
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

function mappingFaults(form: Form, value: Readonly<Record<string, unknown>>, pointer: MapPointer): readonly ShapeFault[] {
  const [entry] = Object.values(form.patternProperties ?? {});
  const keys = Object.keys(value);
  if (keys.length > (form.maxProperties ?? Number.POSITIVE_INFINITY))
    return [wrong(pointer, `must have at most ${form.maxProperties} entries`)];
  if (entry !== undefined)
    return keys.flatMap((key) => (key === '' ? [emptyName(pointer)] : shapeFaults(entry, value[key], [...pointer, key])));
  const properties = form.properties ?? {};
  const missing = (form.required ?? []).filter((key) => !Object.hasOwn(value, key));
  return [
    ...missing.map((key) => missingKey(pointer, key, properties[key])),
    ...keys.flatMap((key) => {
      const schema = Object.hasOwn(properties, key) ? properties[key] : undefined;
      return schema === undefined
        ? [unknownKey([...pointer, key], key, Object.keys(properties))]
        : shapeFaults(schema, value[key], [...pointer, key]);
    }),
  ];
}

function emptyName(pointer: MapPointer): ShapeFault {
  return wrong([...pointer, ''], 'a name is empty', 'Write the name; one such as null or ~ stands in quotes.');
}

function missingKey(pointer: MapPointer, key: string, schema: TSchema | undefined): ShapeFault {
  const description = schema === undefined ? undefined : formOf(schema).description;
  const remedy = `Add ${key}${description === undefined ? '' : ` (${description})`}.`;
  return { code: 'missing-key', pointer, message: `${key} is missing`, remedy };
}

function unknownKey(pointer: MapPointer, key: string, known: readonly string[]): ShapeFault {
  const meant = suggestionFor(key, known);
  const remedy =
    meant === undefined
      ? `The keys here are ${known.join(', ')}.`
      : `Did you mean ${meant}? The keys here are ${known.join(', ')}.`;
  return { code: 'unknown-key', pointer, message: `${key} is not a key of the map`, remedy };
}

function listFaults(form: Form, value: readonly unknown[], pointer: MapPointer): readonly ShapeFault[] {
  if (value.length < (form.minItems ?? 0)) return [wrong(pointer, 'must not be an empty list')];
  if (value.length > (form.maxItems ?? Number.POSITIVE_INFINITY))
    return [wrong(pointer, `must have at most ${form.maxItems} entries`)];
  const { items } = form;
  return items === undefined ? [] : value.flatMap((item, index) => shapeFaults(items, item, [...pointer, index]));
}

function textFaults(form: Form, value: string, pointer: MapPointer): readonly ShapeFault[] {
  // Code points, as JSON Schema counts.
  const { length } = [...value];
  if (length < (form.minLength ?? 0)) return [wrong(pointer, 'must not be empty')];
  if (length > (form.maxLength ?? Number.POSITIVE_INFINITY))
    return [wrong(pointer, `must have at most ${form.maxLength} characters`)];
  if (form.pattern === undefined || new RegExp(form.pattern, 'u').test(value)) return [];
  return [wrong(pointer, `must be ${form.description ?? `of the form ${form.pattern}`}`)];
}

function unionFaults(members: readonly TSchema[], value: unknown, pointer: MapPointer): readonly ShapeFault[] {
  const flat = members.flatMap(flatten);
  const fitting = flat.filter((member) => couldBe(formOf(member), value));
  const words = flat.flatMap((member) => wordsOf(formOf(member)));
  if (typeof value === 'string' && words.includes(value)) return [];
  const open = fitting.filter((member) => wordsOf(formOf(member)).length === 0);
  const [best] = open.toSorted((a, b) => sharedKeys(formOf(b), value) - sharedKeys(formOf(a), value));
  if (best !== undefined) return shapeFaults(best, value, pointer);
  if (typeof value === 'string' && words.length > 0) {
    const meant = suggestionFor(value, words);
    const list = `must be one of ${words.join(', ')}`;
    return [wrong(pointer, list, meant === undefined ? 'Write one of these words.' : `Did you mean ${meant}?`)];
  }
  const kinds = [...new Set(flat.map((member) => describe(formOf(member))))];
  return [wrong(pointer, `must be ${kinds.join(' or ')}`)];
}

function flatten(schema: TSchema): readonly TSchema[] {
  return formOf(schema).anyOf?.flatMap(flatten) ?? [schema];
}

function wordsOf(form: Form): readonly string[] {
  const allowed = form.enum ?? (form.const === undefined ? [] : [form.const]);
  return allowed.filter((word) => typeof word === 'string');
}

function couldBe(form: Form, value: unknown): boolean {
  if (wordsOf(form).length > 0) return typeof value === 'string';
  return form.type === kindOf(value);
}

function sharedKeys(form: Form, value: unknown): number {
  if (!isMapping(value)) return 0;
  return Object.keys(value).filter((key) => Object.hasOwn(form.properties ?? {}, key)).length;
}

function describe(form: Form): string {
  if (wordsOf(form).length > 0) return wordsOf(form).join(' or ');
  if (form.properties !== undefined) return `{ ${Object.keys(form.properties).join(', ')} }`;
  return NAMES[form.type ?? ''] ?? 'something else';
}
