import assert from 'node:assert/strict';
import type { SQLInputValue } from 'node:sqlite';
import { test } from 'node:test';
import fc from 'fast-check';
import { CopyBuffer } from '../encode/copy-buffer.ts';
import { encodeField, encoderFor } from '../encode/encoders.ts';
import { readSourceSchema } from '../objects/index.ts';
import { openTable, tableReading } from '../source/open-table.ts';
import { openSnapshot } from '../source/snapshot.ts';
import { sqliteFile, type Ending } from '../testing/workbench.ts';
import { decideType, type TypeDecision } from './decide-type.ts';
import { scanTable, type TableFacts } from './scan-table.ts';

type Decided = { readonly facts: TableFacts; readonly decision: TypeDecision; readonly refused: number };

/** Stores the values in a column of the declared type, scans it, decides, and tries the encoder on each. */
function decide(t: Ending, declared: string, values: readonly SQLInputValue[]): Decided {
  const file = sqliteFile(t, (database) => {
    database.exec(`CREATE TABLE t (v ${declared})`);
    const insert = database.prepare('INSERT INTO t VALUES (?)');
    for (const value of values) insert.run(value);
  });
  const snapshot = openSnapshot(file);
  try {
    const [table] = readSourceSchema(snapshot.sqlite).tables;
    assert.ok(table);
    const reading = tableReading(snapshot.sqlite, table, table.columns);
    const open = (): ReturnType<typeof openTable> => openTable(snapshot.sqlite, snapshot.address.descriptors, reading);
    const facts = scanTable(open(), { measureScale: [table.columns[0]?.affinity === 'numeric'], withoutRowid: false });
    const [column] = table.columns;
    const [columnFacts] = facts.columns;
    assert.ok(column && columnFacts);
    const decision = decideType(column, columnFacts);
    const encoder = encoderFor(decision.type, decision.epoch);
    const out = new CopyBuffer(65_536);
    let refused = 0;
    for (const cursor = open(); cursor.next();) {
      out.at = 0;
      if (!encodeField(encoder, cursor.row, 0, out)) refused += 1;
    }
    return { facts, decision, refused };
  } finally {
    snapshot.close();
  }
}

const declaredTypes = [
  '',
  'INTEGER',
  'INT',
  'TEXT',
  'VARCHAR(10)',
  'REAL',
  'DOUBLE',
  'BLOB',
  'NUMERIC',
  'NUMERIC(6,2)',
  'DECIMAL(18,4)',
  'BOOLEAN',
  'DATE',
  'DATETIME',
  'TIMESTAMP',
  'TIME',
  'JSON',
  'STRING',
  'MONEY',
];

const values: fc.Arbitrary<SQLInputValue> = fc.oneof(
  fc.constant(null),
  fc.constantFrom(
    0,
    1,
    'true',
    'FALSE',
    '2020-01-01',
    '2020-01-01 10:00:00',
    '2020-01-01T10:00:00Z',
    '10:00',
    '12.50',
    '1e3',
    '{}',
    '',
    1e300,
    -1.5,
    0.1,
    1e-7,
  ),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.double({ noNaN: true }),
  fc.string({ maxLength: 12 }),
  fc.uint8Array({ maxLength: 6 }),
);

test('whatever stands in a column, the decided type holds every value of it', (t) => {
  fc.assert(
    fc.property(
      fc.constantFrom(...declaredTypes),
      fc.oneof(
        fc.array(values, { maxLength: 12 }),
        values.chain((value) => fc.array(fc.constant(value), { minLength: 1, maxLength: 4 })),
      ),
      (declared, column) => {
        const { decision, refused } = decide(t, declared, column);
        assert.equal(refused, 0, `${declared} became ${decision.type} (${decision.reason})`);
      },
    ),
    { numRuns: 400 },
  );
});

const cases: readonly (readonly [declared: string, values: readonly SQLInputValue[], type: string, widened: boolean])[] = [
  ['INTEGER', [1, 2], 'bigint', false],
  ['INTEGER', [1, 2.5], 'numeric', true],
  ['INTEGER', [1, 'one'], 'text', true],
  ['INTEGER', [1, new Uint8Array([1])], 'bytea', true],
  ['REAL', [1, 2], 'double precision', false],
  ['REAL', [Number.POSITIVE_INFINITY], 'double precision', false],
  ['NUMERIC(6,2)', [1.25, 9999.99], 'numeric(6,2)', false],
  ['NUMERIC(6,2)', [10000], 'numeric', true],
  ['NUMERIC(6,2)', [1.255], 'numeric', true],
  ['NUMERIC(6,2)', [Number.POSITIVE_INFINITY], 'numeric', true],
  ['BOOLEAN', [0, 1], 'boolean', false],
  ['BOOLEAN', ['true', 'false'], 'boolean', false],
  ['BOOLEAN', [0, 2], 'bigint', true],
  ['INTEGER', [0, 1], 'bigint', false],
  ['DATE', ['2020-02-29'], 'date', false],
  ['DATE', ['2020-02-30'], 'text', true],
  ['DATETIME', ['2020-01-01 10:00:00', '2020-01-01'], 'text', true],
  ['TIMESTAMP', ['2020-01-01T10:00:00Z', '2020-01-01T10:00:00+02:00'], 'timestamptz', false],
  ['TIMESTAMP', ['2020-01-01T10:00:00Z', '2020-01-01T10:00:00'], 'text', true],
  ['TEXT', ['2020-01-01'], 'text', false],
  ['BLOB', ['aGVsbG8='], 'bytea', false],
  ['TEXT', [new Uint8Array([1]), 'a'], 'bytea', true],
  ['', ['a', 1], 'text', true],
  ['WHATEVER', ['a'], 'text', false],
  ['', [], 'text', false],
  ['DATETIME', [], 'timestamp', false],
];

for (const [declared, column, type, widened] of cases) {
  test(`${declared || 'no type'} with ${JSON.stringify(column)} becomes ${type}${widened ? ', widened' : ''}`, (t) => {
    const { decision } = decide(t, declared, column);
    assert.deepEqual([decision.type, decision.widened], [type, widened], decision.reason);
  });
}

test('counts of time are proposed by their range and name, and never taken by themselves', (t) => {
  const proposed = (declared: string, value: number): string | null | undefined =>
    decide(t, declared, [value]).decision.proposal?.epoch;
  assert.equal(proposed('DATETIME', 1_577_836_800), 'unix-s');
  assert.equal(proposed('DATETIME', 1_577_836_800_000), 'unix-ms');
  assert.equal(proposed('DATETIME', 13_222_310_400_000_000), 'webkit-us');
  assert.equal(proposed('INTEGER', 1_577_836_800), undefined);
});
