import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalForm } from '@safekeep/core';
import { testDatabase, testServers } from '@safekeep/postgres/testing';

for (const server of testServers()) {
  test(`SQL makes the same search forms as Node, to the byte (PostgreSQL ${server.name})`, async (t) => {
    const { pool } = await testDatabase(t, { server, migrated: true });
    const texts = [
      ...fc.sample(fc.string({ unit: 'binary', maxLength: 24 }), 300),
      ...fc.sample(fc.stringMatching(/^[A-Za-z' -]{0,20}$/), 300),
      'İstanbul',
      'STRASSE ß',
      '  \t Müller',
      'Pfister',
    ].filter((text) => text.isWellFormed() && !text.includes('\0'));
    const cases = [
      ...(['exact', 'last4', 'prefix', 'soundex'] as const).flatMap((kind) =>
        texts.map((value) => ({ kind, value, type: 'text' as const })),
      ),
      ...['0', '1.50', '100', '100.00', '-0.10', 'NaN', '1e5'].map((value) => ({
        kind: 'exact' as const,
        value,
        type: 'numeric' as const,
      })),
      ...(['year', 'month'] as const).flatMap((kind) =>
        ['1984-07-09', '0044-03-15 BC', '12026-01-01', 'infinity', '-infinity'].map((value) => ({
          kind,
          value,
          type: 'date' as const,
        })),
      ),
    ];
    const { rows } = await pool.query<{ form: string | null }>(
      `select safekeep.search_form(kind, value, type) as form from unnest($1::text[], $2::text[], $3::text[]) with ordinality as c (kind, value, type, place) order by place`,
      [cases.map(({ kind }) => kind), cases.map(({ value }) => value), cases.map(({ type }) => type)],
    );
    for (const [place, { kind, value, type }] of cases.entries())
      assert.equal(rows[place]?.form, canonicalForm(kind, value, type), `${kind} ${JSON.stringify(value)}`);
  });
}
