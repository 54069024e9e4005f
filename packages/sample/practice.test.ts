import assert from 'node:assert/strict';
import { test } from 'node:test';
import { only, openPractice } from './fixture.ts';
import { cardNumbers } from './people/identifiers.ts';
import { quoted } from './tables.ts';

const { database, summary } = await openPractice();

/** Every oddity that README.md promises, as a question that SQLite answers with something other than 0. */
const ODDITIES: Readonly<Record<string, string>> = {
  'names are longer than VARCHAR(20) says': 'SELECT count(*) FROM patients WHERE length(last_name) > 20',
  'an integer column holds text': "SELECT count(*) FROM patients WHERE typeof(legacy_no) = 'text' AND legacy_no = 'n/a'",
  'the same integer column holds integers': "SELECT count(*) FROM patients WHERE typeof(legacy_no) = 'integer'",
  'a blob column holds text': "SELECT count(*) FROM documents WHERE typeof(content) = 'text'",
  'a blob column holds blobs': "SELECT count(*) FROM documents WHERE typeof(content) = 'blob'",
  'one column of times carries offsets': "SELECT count(*) = sum(booked_at GLOB '????-??-??T??:??:??-0[78]:00') FROM bookings",
  'one column of times carries none': "SELECT count(*) = sum(starts_at GLOB '????-??-?? ??:??:??') FROM bookings",
  'one column of times is mixed': "SELECT count(DISTINCT sent_at LIKE '%Z') = 2 FROM messages",
  'one column holds seconds since 1970':
    "SELECT min(date(at, 'unixepoch')) > '2014' AND max(date(at, 'unixepoch')) < '2027' FROM login_log",
  'one column holds milliseconds since 1970': "SELECT min(date(spoken_at / 1000, 'unixepoch')) > '2014' FROM voice_commands",
  'one column holds Julian days': "SELECT min(date(due)) > '2014' AND max(date(due)) < '2028' FROM recalls",
  'a boolean is 0 or 1': 'SELECT count(DISTINCT sms_ok) = 2 AND max(sms_ok) = 1 FROM patients',
  'a boolean is true or false': "SELECT count(DISTINCT newsletter) = 2 AND max(newsletter) = 'true' FROM patients",
  'money is REAL': "SELECT count(*) FROM payments WHERE typeof(amount) = 'real'",
  'money is not exact': 'SELECT count(*) FROM treatments WHERE price <> round(price, 2)',
  'money is NUMERIC, whole or broken': 'SELECT count(DISTINCT typeof(total)) = 2 FROM invoices',
  'nothing is written as an empty text': "SELECT count(*) FROM patients WHERE email = ''",
  'a date is an empty text': "SELECT count(*) FROM recalls WHERE sent_on = ''",
  'a name ends in a blank': "SELECT count(*) FROM patients WHERE last_name LIKE '% '",
  'a table and its columns need quotes': 'SELECT sum("Line Total") FROM "Invoice Lines"',
  'reserved words are columns': 'SELECT max("order") FROM bookings JOIN staff ON staff.id = dentist_id WHERE "user" IS NOT NULL',
  'two columns have no type': "SELECT count(*) = 2 FROM pragma_table_info('login_log') WHERE type = ''",
  'an integer is beyond 2^53': 'SELECT max(last_change_token) = 9223372036854775807 FROM sync_state',
  'a row number is odd beyond 2^53': 'SELECT count(*) FROM sync_state WHERE last_change_token = 9007199254740993',
  'a generated column is virtual': "SELECT count(*) FROM pragma_table_xinfo('patients') WHERE name = 'full_name' AND hidden = 2",
  'a generated column is stored':
    "SELECT count(*) FROM pragma_table_xinfo('Invoice Lines') WHERE name = 'Line Total' AND hidden = 3",
  'keys have gaps': 'SELECT max(id) - count(*) FROM payments',
  'the sequence stands beyond the largest key':
    "SELECT seq > (SELECT max(id) FROM payments) FROM sqlite_sequence WHERE name = 'payments'",
  'an index is partial': "SELECT count(*) FROM pragma_index_list('invoices') WHERE partial = 1",
  'an index is on expressions': "SELECT count(*) FROM pragma_index_xinfo('patients_by_lower_name') WHERE cid = -2",
  'an index is descending': "SELECT count(*) FROM pragma_index_xinfo('bookings_newest') WHERE desc = 1",
  'a unique index does not mind case': "SELECT count(*) FROM pragma_index_xinfo('staff_email') WHERE coll = 'NOCASE'",
  'a default is CURRENT_TIMESTAMP': "SELECT count(*) FROM pragma_table_info('patients') WHERE dflt_value = 'CURRENT_TIMESTAMP'",
  'a default is an expression': "SELECT count(*) FROM pragma_table_info('patients') WHERE dflt_value LIKE 'strftime%'",
  'a key is deferred': "SELECT sql LIKE '%DEFERRABLE INITIALLY DEFERRED%' FROM sqlite_schema WHERE name = 'patients'",
  'views answer': 'SELECT (SELECT count(*) FROM patient_balances) * (SELECT count(*) FROM "Day Sheet")',
  'there are triggers': "SELECT count(*) = 5 FROM sqlite_schema WHERE type = 'trigger'",
  'notes can be searched without marks': "SELECT count(*) FROM notes_search WHERE notes_search MATCH 'munoz OR ibanez'",
  'rows are softly deleted':
    'SELECT min((SELECT count(*) FROM patients WHERE deleted_at IS NOT NULL), (SELECT count(*) FROM bookings WHERE deleted_at IS NOT NULL), (SELECT count(*) FROM clinical_notes WHERE deleted_at IS NOT NULL))',
  'patients and bookings point at each other':
    'SELECT count(*) FROM patients p JOIN bookings b ON b.id = p.preferred_booking_id WHERE b.patient_id = p.id',
  'patients write to each other': 'SELECT count(*) FROM messages WHERE sender_id <> recipient_id',
  'a reply stays among the same people':
    'SELECT count(*) = sum(coalesce(r.sender_id, r.recipient_id) IN (m.sender_id, m.recipient_id)) FROM messages r JOIN messages m ON m.id = r.reply_to_id',
  'others pay': 'SELECT count(*) FROM invoices WHERE payer_id <> patient_id',
  'personal data stands in JSON': "SELECT count(*) FROM questionnaires WHERE answers ->> '$.physician.phone' LIKE '%555%'",
  'a PDF carries a name': "SELECT count(*) FROM documents WHERE kind = 'consent' AND instr(content, CAST('Patient: ' AS BLOB)) > 0",
};

for (const [oddity, question] of Object.entries(ODDITIES)) {
  test(oddity, () => assert.ok(Number(only(database, question)) > 0, question));
}

test('no text has what PostgreSQL cannot hold: a NUL or broken UTF-8', () => {
  for (const { table, column } of textColumns()) {
    const bad = `SELECT count(*) FROM ${quoted(table)} WHERE typeof(${quoted(column)}) = 'text' AND instr(${quoted(column)}, char(0)) > 0`;
    assert.equal(only(database, bad), 0, `${table}.${column}`);
  }
  for (const text of allText()) assert.ok(text.isWellFormed() && !text.includes('\uFFFD'), text);
});

test('nobody is seen before the booking was made', () => {
  assert.equal(
    only(database, "SELECT count(*) FROM bookings WHERE substr(booked_at, 1, 16) > replace(substr(starts_at, 1, 16), ' ', 'T')"),
    0,
  );
});

test('no room holds two bookings at once', () => {
  assert.equal(only(database, 'SELECT count(*) FROM (SELECT 1 FROM bookings GROUP BY room_id, starts_at HAVING count(*) > 1)'), 0);
});

test('an invoice is the sum of its lines', () => {
  const off =
    'SELECT count(*) FROM invoices i WHERE abs(total - (SELECT sum("Line Total") FROM "Invoice Lines" WHERE "Invoice No" = i.id)) > 0.004';
  assert.equal(only(database, off), 0);
});

/** What regulators keep free; written apart from the generator, as one reads it on their pages. */
const FICTIONAL_PHONES = [
  /^(\+1 )?\(?\d{3}\)?[-. ]?555[-. ]?01\d\d$/,
  /^(\+44 7700 900\d{3}|07700 900\d{3}|01632 960\d{3}|020 7946 0\d{3})$/,
  /^(\+49 30 23125\d{3}|089 99998 \d{3}|040\/66969\d{3}|\(0221\) 4710-\d{3})$/,
  /^(\+33 1 99 00 \d\d \d\d|06 39 98 \d\d \d\d|01\.99\.00\.\d\d\.\d\d)$/,
];

test('every phone number is one that regulators keep for fiction', () => {
  const numbers = phoneColumns();
  assert.ok(numbers.length > 1000);
  for (const number of numbers)
    assert.ok(
      FICTIONAL_PHONES.some((pattern) => pattern.test(number)),
      number,
    );
});

test('what looks like a US phone number in any text is in the range for fiction', () => {
  let seen = 0;
  for (const text of allText()) {
    for (const [, , exchange = '', line = ''] of text.matchAll(/(?<![\d/])\(?([2-9]\d\d)\)?[-. ]([2-9]\d\d)[-. ](\d{4})(?!\d)/g)) {
      assert.equal(`${exchange}-${line.slice(0, 2)}`, '555-01', text);
      seen += 1;
    }
  }
  assert.ok(seen > 1000);
});

test('every mail address in any text is below a domain for examples', () => {
  let seen = 0;
  for (const text of allText()) {
    for (const [, domain = ''] of text.matchAll(/[^\s"<>@]@([\p{L}\d.-]*[\p{L}\d])/gu)) {
      assert.match(domain.toLowerCase(), /^([a-z0-9-]+\.)*example\.(org|com|net)$/);
      seen += 1;
    }
  }
  assert.ok(seen > 1000);
});

test('what looks like a social security number in any text is in a range that is never issued', () => {
  let seen = 0;
  for (const text of allText()) {
    for (const [number] of text.matchAll(/(?<![\d-])\d{3}-\d{2}-\d{4}(?!\d)/g)) {
      assert.match(number, /^9\d\d-(0[1-9]|[1-4]\d)-/);
      seen += 1;
    }
  }
  assert.ok(seen > 500);
});

test('what looks like a card number in any text is a published test number', () => {
  let seen = 0;
  for (const text of allText()) {
    for (const [number] of text.matchAll(/(?<![\dA-Z-])\d{4}[ ]?\d{4}[ ]?\d{4}[ ]?\d{2,4}(?!\d)/g)) {
      assert.ok(cardNumbers.includes(number.replaceAll(' ', '')), number);
      seen += 1;
    }
  }
  assert.ok(seen > 500);
});

function textColumns(): readonly { readonly table: string; readonly column: string }[] {
  const columns = database.prepare(
    'SELECT t.name AS "table", c.name AS "column" FROM pragma_table_list t, pragma_table_xinfo(t.name) c WHERE t.schema = ? AND t.type = ?',
  );
  return columns
    .all('main', 'table')
    .map((row) => ({ table: String(row['table']), column: String(row['column']) }))
    .filter(({ table }) => table in summary.tables);
}

function* allText(): Generator<string> {
  for (const { table, column } of textColumns()) {
    const statement = database.prepare(
      `SELECT ${quoted(column)} AS text FROM ${quoted(table)} WHERE typeof(${quoted(column)}) = 'text'`,
    );
    for (const row of statement.iterate()) yield String(row['text']);
  }
}

function phoneColumns(): readonly string[] {
  const columns = [
    ['patients', 'phone'],
    ['patients', 'mobile'],
    ['patients', 'emergency_phone'],
    ['staff', 'phone'],
    ['insurers', 'phone'],
    ['referral_letters', 'specialist_phone'],
  ] as const;
  return columns.flatMap(([table, column]) => {
    const statement = database.prepare(`SELECT ${column} AS number FROM ${table} WHERE ${column} <> ''`);
    return statement.all().map((row) => String(row['number']));
  });
}
