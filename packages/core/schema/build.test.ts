import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import TypeBox from 'typebox';
import { Type } from './build.ts';

/** Schemas of every builder, alone, with options and within each other. */
function schemasBy(builder: typeof Type): readonly unknown[] {
  const options = { description: 'what it is for', default: null };
  const text = builder.String({ minLength: 1, pattern: '^a' });
  const words = builder.Union([builder.Literal('one'), builder.Literal(2), builder.Literal(true, options)], options);
  return [
    builder.Array(text),
    builder.Array(words, { minItems: 1, ...options }),
    builder.Boolean(),
    builder.Boolean(options),
    builder.Enum(['one', 'two']),
    builder.Enum(['one'], options),
    builder.Integer({ minimum: 0 }),
    builder.Null(),
    builder.Null(options),
    builder.Number(options),
    builder.Object({}),
    builder.Object(
      { a: builder.Optional(text), b: words, c: builder.Optional(builder.Array(words)) },
      { additionalProperties: false },
    ),
    builder.Optional(builder.Object({ a: builder.Optional(text) }, options)),
    builder.Optional(builder.Optional(words)),
    builder.Record(builder.String(), builder.Null()),
    builder.Record(text, words, { maxProperties: 2, ...options }),
    builder.String(),
    builder.Tuple([text, builder.Integer()]),
    builder.Tuple([], options),
    builder.Union([], options),
    builder.Unknown(),
    builder.Unknown(options),
  ];
}

test('each builder makes what TypeBox makes, to the order of its keywords, and what JSON does not see', () => {
  const hidden = (schemas: readonly unknown[]): string => inspect(schemas, { showHidden: true, sorted: true, depth: Infinity });
  assert.equal(JSON.stringify(schemasBy(Type)), JSON.stringify(schemasBy(TypeBox)));
  assert.equal(hidden(schemasBy(Type)), hidden(schemasBy(TypeBox)));
});
