import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSafekeepError } from './errors/error.ts';
import { formatColumnName, formatName, formatTableName, parseColumnName, parseTableName, shellWord } from './names.ts';

// Any name PostgreSQL can hold, with more of what needs care than chance would give.
const part = fc.oneof(
  fc.string({ minLength: 1, unit: fc.constantFrom('a', 'Z', '_', '1', '.', '"', ' ', '$', 'ö', '名', '\n', "'") }),
  fc.string({ minLength: 1, unit: 'grapheme' }).filter((text) => !text.includes('\0')),
  fc.constantFrom('order', 'user', 'public', 'select', '"', '""', '.', 'patients'),
);

test('the name of a table is read back as it was written', () => {
  fc.assert(
    fc.property(part, part, (schema, table) => {
      assert.deepEqual(parseTableName(formatTableName({ schema, table })), { schema, table });
    }),
  );
});

test('the name of a column is read back as it was written', () => {
  fc.assert(
    fc.property(part, part, part, (schema, table, column) => {
      assert.deepEqual(parseColumnName(formatColumnName({ schema, table, column })), { schema, table, column });
    }),
  );
});

test('two different tables never share a name', () => {
  fc.assert(
    fc.property(part, part, part, part, (schema, table, otherSchema, otherTable) => {
      const same = schema === otherSchema && table === otherTable;
      const names = [formatTableName({ schema, table }), formatTableName({ schema: otherSchema, table: otherTable })];
      assert.equal(new Set(names).size, same ? 1 : 2);
    }),
  );
});

test('a part is quoted only where it has more than small letters, digits, underscore and dollar', () => {
  assert.equal(formatName('public', 'patients'), 'public.patients');
  assert.equal(formatName('public', 'order'), 'public.order');
  assert.equal(formatName('_a$1', '1a'), '_a$1."1a"');
  assert.equal(formatName('a.b', 'say "hi"', 'Größe'), '"a.b"."say ""hi"""."Größe"');
});

test('public may be left out when a person writes a name', () => {
  assert.deepEqual(parseTableName('patients'), { schema: 'public', table: 'patients' });
  assert.deepEqual(parseTableName('"Patient files"'), { schema: 'public', table: 'Patient files' });
  assert.deepEqual(parseColumnName('patients.email'), { schema: 'public', table: 'patients', column: 'email' });
  assert.deepEqual(parseColumnName('clinic."a.b".straße'), { schema: 'clinic', table: 'a.b', column: 'straße' });
});

for (const [text, reason] of [
  ['', /a part of it is empty/],
  ['a.', /a part of it is empty/],
  ['.a', /a part of it is empty/],
  ['a..b', /a part of it is empty/],
  ['a.""', /a part of it is empty/],
  ['Patients', /capitals must stand in double quotes/],
  ['public.patient files', /blanks must stand in double quotes/],
  ['public."open', /a quote is not closed/],
  ['public."a"b', /text follows the closing quote/],
  ['public.a"b', /a quote stands inside a part/],
  ['a.b.c', /it has more than two parts/],
] as const) {
  test(`${JSON.stringify(text)} is refused as the name of a table`, () => {
    assert.throws(
      () => parseTableName(text),
      (error) => isSafekeepError(error, 'name-invalid') && reason.test(error.message),
    );
  });
}

test('a column without table, or with a part too many, is refused', () => {
  for (const text of ['email', 'a.b.c.d']) {
    assert.throws(
      () => parseColumnName(text),
      (error) => isSafekeepError(error, 'name-invalid'),
    );
  }
});

test('a name that a shell would take apart is told in quotes that keep it whole', () => {
  assert.equal(shellWord('public.patients.ssn'), 'public.patients.ssn');
  assert.equal(shellWord('public."Customer"."Email"'), `'public."Customer"."Email"'`);
  assert.equal(shellWord(`public."d'or"`), `'public."d'\\''or"'`);
});
