import type TypeBox from 'typebox';
import type { TSchema } from 'typebox';

/** What Safekeep builds its schemas of. */
type Builders = Pick<
  typeof TypeBox,
  | 'Array'
  | 'Boolean'
  | 'Enum'
  | 'Integer'
  | 'Literal'
  | 'Null'
  | 'Number'
  | 'Object'
  | 'Optional'
  | 'Record'
  | 'String'
  | 'Tuple'
  | 'Union'
  | 'Unknown'
>;

type Keywords = Readonly<Record<string, unknown>>;

const ANY_TEXT = '^.*$';

/** JSON Schema in the enumerable properties, and which builder made it in one that neither JSON nor a comparison sees, as TypeBox has it. */
function built(kind: string, keywords: Keywords, options: Keywords = {}): TSchema {
  return marked({ ...keywords, ...options }, '~kind', kind);
}

function marked(schema: TSchema, mark: string, value: unknown): TSchema {
  return Object.defineProperty(schema, mark, { value, configurable: true, writable: true, enumerable: false });
}

function requiredOf(properties: Readonly<Record<string, TSchema>>): Keywords {
  const required = Object.keys(properties).filter((key) => !Object.hasOwn(properties[key] ?? {}, '~optional'));
  return required.length > 0 ? { required } : {};
}

const builders = {
  Array: (items: TSchema, options?: Keywords) => built('Array', { type: 'array', items }, options),
  Boolean: (options?: Keywords) => built('Boolean', { type: 'boolean' }, options),
  Enum: (values: readonly unknown[], options?: Keywords) => built('Enum', { enum: values }, options),
  Integer: (options?: Keywords) => built('Integer', { type: 'integer' }, options),
  Literal: (value: unknown, options?: Keywords) => built('Literal', { type: typeof value, const: value }, options),
  Null: (options?: Keywords) => built('Null', { type: 'null' }, options),
  Number: (options?: Keywords) => built('Number', { type: 'number' }, options),
  Object: (properties: Readonly<Record<string, TSchema>>, options?: Keywords) =>
    built('Object', { type: 'object', ...requiredOf(properties), properties }, options),
  Optional: (schema: TSchema) => marked(Object.defineProperties({}, Object.getOwnPropertyDescriptors(schema)), '~optional', true),
  Record: (key: { readonly pattern?: string }, value: TSchema, options?: Keywords) =>
    built('Record', { type: 'object', patternProperties: { [key.pattern ?? ANY_TEXT]: value } }, options),
  String: (options?: Keywords) => built('String', { type: 'string' }, options),
  Tuple: (items: readonly TSchema[], options?: Keywords) =>
    built('Tuple', { type: 'array', additionalItems: false, items, minItems: items.length }, options),
  Union: (anyOf: readonly TSchema[], options?: Keywords) => built('Union', { anyOf }, options),
  Unknown: (options?: Keywords) => built('Unknown', {}, options),
};

/**
 * The builders of TypeBox that Safekeep uses: its types, and what its own would build. Reading these takes 400 modules with whatever else a
 * type can be made of, nearly a fifth of the start of every command.
 */
// Each gives what TypeBox's gives, which build.test.ts holds against it; how the type follows from the schema is in its declarations alone.
export const Type = builders as unknown as Builders;
