import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import type { SealedField } from './field.ts';
import { guardStatement } from './statement-guard.ts';

const field = (phase: string, column = 'email'): SealedField => ({
  id: '01994b0e-7c4a-7000-8000-5f2f6d8b9c10',
  tenant: 'default',
  name: `public.people.${column}`,
  schema: 'public',
  table: 'people',
  column,
  encrypted: `${column}_encrypted`,
  valueType: 'text',
  lengthLimit: null,
  isCard: false,
  mode: 'client',
  phase,
  direction: 'in',
  keyScope: 'field.x',
  tableOid: 1,
  columnNumber: 1,
  typeOid: 25,
  encryptedNumber: 2,
  indexes: [],
});

const REFUSED = [
  `select id from people where email = 'a'`,
  `select id from people p where p.email like 'a%'`,
  `select id from people p where p . "email" is null`,
  `select p.id from people p join visits v on v.at = p.email`,
  `select id from people join visits using (email)`,
  `select id from people order by email`,
  `select id from people order by id, lower(EMAIL) desc`,
  `select count(email) from people`,
  `select count(distinct email) from people`,
  `select distinct on (email) id, email, email_encrypted from people`,
  `select email || 'x' from people`,
  `select lower(email) as email from people`,
  `select coalesce(p.email, 'x') from people as p`,
  `select id from people group by email`,
  `select name from people group by name having max(email) > 'a'`,
  `select id from visits where person_id in (select id from people where email = $1)`,
  `with p as (select id, email from people) select id from p where p.id = 1 and exists (select from people where email = 'x')`,
  `insert into people (id, email) values (1, 'x') on conflict (email) do nothing`,
  `insert into people (id) values (1) on conflict (id) do update set name = excluded.email`,
  `update people set name = email where id = 1`,
  `update people set name = 'x' where email = 'a'`,
  `delete from people where email in ('a', 'b')`,
  `delete from people using visits where people.email = visits.at`,
  `select row_number() over (partition by email) from people`,
  `select id from people -- email\n where email between 'a' and 'b'`,
];

const TAKEN = [
  `select id, email, email_encrypted from people where id = 1`,
  `select email, email_encrypted from people`,
  `select p.email, p.email_encrypted from people p order by p.id`,
  `select p.email as mail, p.email_encrypted from people p`,
  `select email_encrypted as email from people`,
  `select * from people where email_exact_index = $1`,
  `select id from people where email_encrypted is null`,
  `select id from people where name = 'email'`,
  `select id from people where name = $$ where email $$ /* order by email */`,
  `select v.id from people p join visits v on v.person_id = p.id where v.email = 'x'`,
  `select id from visits where email = 'x'`,
  `insert into people (id, name, email, email_encrypted) values (1, 'x', null, $1) returning id, email, email_encrypted`,
  `update people set email_encrypted = $1, name = 'y' where id = 1 returning email, email_encrypted`,
  `update people set (email_encrypted, email) = ($1, null) where id = 1`,
  `delete from people where id = 1 returning people.email, people.email_encrypted`,
];

test('SQL that compares, sorts or computes by a column whose plaintext is gone is refused, and what the result can open is not', () => {
  for (const text of REFUSED)
    assert.throws(
      () => guardStatement(text, [field('finished')]),
      (error) =>
        isSafekeepError(error, 'field-not-served') && error.remedy.includes('safekeep encrypt public.people.email --search exact'),
      text,
    );
  for (const text of TAKEN) assert.doesNotThrow(() => guardStatement(text, [field('finished')]), text);
});

test('as long as the plaintext stands SQL may ask for it', () => {
  for (const text of REFUSED) guardStatement(text, [field('switched')]);
});

test('names are folded as PostgreSQL folds them', () => {
  const quoted = [{ ...field('finished', 'E-Mail'), table: 'People' }];
  assert.throws(() => guardStatement(`select 1 from "People" where "E-Mail" = 'x'`, quoted));
  guardStatement(`select 1 from people where "E-Mail" = 'x'`, quoted);
});
