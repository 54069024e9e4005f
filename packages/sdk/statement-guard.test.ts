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
  isCard: false,
  mode: 'client',
  phase,
  direction: 'in',
  keyScope: 'field.x',
  tableOid: 1,
  columnNumber: 1,
  typeOid: 25,
  typeName: 'text',
  typeModifier: -1,
  encryptedNumber: 2,
  indexes: [],
  partitions: [],
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

/** The plaintext would be asked for under another name, or copied to where nobody knows that it is empty. */
const HIDDEN = [
  `select * from (select * from people) s where s.email = $1`,
  `with c as (select * from people) select c.id from c where c.email = $1`,
  `with c as (select * from people), d as (select * from c) select d.id from d as x order by x.email`,
  `with c as not materialized (select id, email, email_encrypted from people) select id from c where email = 'a'`,
  `with c (id, mail) as (select id, email from people) select id from c where mail = 'a'`,
  `with c (a, b) as (select * from people) select a from c where b = 'a'`,
  `select p.id from people as p (id, mail) where mail = 'a'`,
  `select s.id from (select id, email as mail, email_encrypted from people) s where s.mail = 'a'`,
  `select v.id from visits v, lateral (select * from people p where p.id = v.person_id) l where l.email = 'a'`,
  `select id from people natural join people2`,
  `select id from people p where (select p.email) = $1`,
  `select id, email, email_encrypted from people order by 2`,
  `select * from people order by 3 desc`,
  `select id, email as mail, email_encrypted from people order by id, mail`,
  `select email, email_encrypted, count(*) from people group by 1, 2`,
  `insert into archive (email) select email from people`,
  `insert into archive (email, email_encrypted) select email, email_encrypted from people`,
  `with x as (select 1) insert into archive (email) select email from people`,
  `update archive set email = (select email from people where id = 7)`,
  `update archive set (a, email) = (select id, email from people where people.id = archive.id)`,
  `update archive set email = p.email from people p where p.id = archive.id`,
  `update people set name = (email) where id = 1`,
  `create table t as select id, email, email_encrypted from people`,
  `copy (select email, email_encrypted from people) to stdout`,
  `select (select email from people where id = 1) as e`,
  `select array(select email from people)`,
  `select * from people union select * from people2`,
  `select row_to_json(p) from people p`,
  `select p::text from people p`,
  `select (p).email from people p`,
  `select json_agg(s) from (select * from people) as s`,
  `select f.* from people p, lateral f(p) f`,
  `select 1; select id from people where email = 'a'`,
  `select row_to_json(p.*) from people p`,
  `select json_agg(people.*) from people`,
  `select row_to_json(public.people.*) from people`,
  `select row(t.*) from people as t`,
  `select (p.*) from people p`,
  `select p.* is null from people p`,
  `select id from people p where p.* is not null`,
  `insert into people (id) values (1) on conflict (id) do update set (id, name) = row(excluded.*)`,
  `update people set name = 'x' returning coalesce(new.email, 'none')`,
  `delete from people returning old.email is null`,
  `update people set name = 'x' returning row_to_json(old)`,
  `update people set name = 'x' returning with (old as o, new as n) o.email is null`,
  `select j.id from (people p join (values (1)) as v (boss) using (boss)) as j where j.email = 'a'`,
  `select j.id from ((people p join visits v on v.person_id = p.id) cross join rooms) j order by j.email`,
  `select o.id from only (people) as o where o.email = 'a'`,
  `select id from people p where (p.*).email = 'a'`,
  `select id from people where (one(people.id)).email = 'a'`,
  `select s.id from visits v join rooms r on r.id = v.room, (select * from people) s where s.email = 'a'`,
  `select s.id from ((select * from people)) s where s.email = 'a'`,
  `with c as ((select * from people)) select id from c where email = 'a'`,
  `(select * from people) order by email`,
  `(select id, email, email_encrypted from people) order by 2`,
  `((select * from people)) order by 3`,
  `(select * from people) union all select * from people2`,
  `table people order by 3`,
  `select 1 where (1, 'n', 'a') in (select * from people)`,
  `select (1, 'n', 'a') = any (select p.* from people p)`,
  `prepare q as select row_to_json(p) from people p`,
  `explain select json_agg(p.*) from people p`,
  `declare c cursor for select p::text from people p`,
  `select id /* /* */ ' */ from people where email = 'a' /* ' */`,
  `select id -- x\r from people where email = 'a'`,
  `select id from people where name = E'a'\n'\\'' || email || 'x'`,
];

/** The ciphertext is not asked for, so nothing could be opened. */
const EMPTY = [
  `select id, email from people`,
  `select p.email as mail from people p where p.id = 1`,
  `insert into people (name) values ('twice') returning id, email`,
  `update people set name = 'x' where id = 1 returning people.email`,
  `with w as (insert into people (name) values ('x') returning id, email) select id from w`,
];

const TAKEN = [
  `with c as (select id, email, email_encrypted from people) select id, email, email_encrypted from c where id = 1`,
  `with c as (select * from people) select c.* from c order by c.id`,
  `select s.email, s.email_encrypted from (select * from people) s where s.id = 1 limit 1`,
  `select * from people where exists (select * from visits v where v.person_id = people.id)`,
  `insert into archive (id, email) select id, name from people`,
  `insert into archive select * from people`,
  `update archive set email = 'x' where id in (select id from people)`,
  `select id from visits where email = 'x' and person_id in (select id from people)`,
  `select id, email from old.people where email = $1 order by email`,
  `select name, count(*) from people group by 1 order by 2`,
  `select p.*, v.at from people p cross join (visits v join rooms r on r.id = v.room) order by p.id`,
  `with n as (select id, name from people) select json_agg(n) from n`,
  `select 2 * id from people; select email_encrypted as email from people for update of people`,
  `update people as p set (name, email) = ('x', null), email_encrypted = $1 from visits where p.id = 1`,
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
  `update people set name = 'x' where id = 1 returning new.email, new.email_encrypted`,
  `select distinct p.* from people p join visits v on v.person_id = p.id`,
  `select distinct on (p.id) p.* from people p join visits v on v.person_id = p.id`,
  `select name, (email_encrypted) from people`,
  `select p.* from people p where exists (select * from people q where q.boss = p.id)`,
  `insert into archive (select * from people)`,
  `select v.at from visits v join rooms r on r.id = v.room, (select id from people) s where s.id = v.person_id`,
  `select j.* from (people p join visits v on v.person_id = p.id) as j`,
  `select p.email, p.email_encrypted, b.name from people p join people b on b.id = p.boss`,
  `select u.at from visits u where u.at & 1 = 0 and u.person_id in (select id from people)`,
  `grant select on people to clerk`,
  `create index people_name on people (lower(name))`,
  `create view names as select id, name from people`,
  `explain select id, name from people where id = 1`,
];

/** The result would be opened into the value of another row, or would tell equal values apart. */
const MISTAKEN = [
  `select a.email as mine, b.email as theirs, b.email_encrypted as x, a.email_encrypted as y from people a join people b on true`,
  `select a.email, b.email, a.email_encrypted, b.email_encrypted from people a, people b`,
  `select a.email as mine, a.email_encrypted as theirs__sealed, b.email as theirs, b.email_encrypted as mine__sealed from people a, people b`,
  `select b.email, a.email_encrypted from people a join people b on b.id = a.boss`,
  `select (b.email) as mail, a.email_encrypted from people a join people b on b.id = a.boss`,
  `select b.email mail, a.email_encrypted from people a join people b on b.id = a.boss`,
  `select public.people.email, a.email_encrypted from people a, people`,
  `with a as (select * from people where id = 1), b as (select * from people where id = 2) select b.email, a.email_encrypted from a, b`,
  `with a as (select id, email, email_encrypted as x from people), b as (select id as other, email_encrypted from people) select email, email_encrypted from a, b`,
  `with a as (select id, email from people), b as (select id as other, email_encrypted from people) select * from a, b`,
  `with m as (select id, email as mail from people) select m.mail, p.email_encrypted from people p join m on m.id = p.boss`,
  `select s.email, s.email_encrypted from (select b.email, a.email_encrypted from people a, people b) s`,
  `select s.email, s.email_encrypted from (select b.email, b.email_encrypted as x, a.email_encrypted from people a, people b) s`,
  `select c.email, d.email_encrypted from (select * from people) c, lateral (select * from people where id = c.boss) d`,
  `update people set email_encrypted = $1 where id = 1 returning old.email, new.email_encrypted`,
  `update people set email_encrypted = $1 where id = 1 returning old.*, new.*`,
  `select email, email_encrypted as one, email_encrypted as two from people`,
  `select *, email from people`,
  `select distinct email, email_encrypted from people`,
  `select distinct on (email_encrypted) id, email_encrypted from people`,
  `select count(distinct email_encrypted) from people`,
  `select email_encrypted from people union select email_encrypted from people2`,
  `select email, email_encrypted from people union all select a, b from visits`,
];

const PAIRED = [
  `select a.email as mine, b.email as theirs, b.email_encrypted as theirs__sealed, a.email_encrypted as mine__sealed from people a, people b`,
  `select a.*, b.email as theirs, b.email_encrypted as theirs__sealed from people a join people b on b.id = a.boss`,
  `select p.email as mail, p.email_encrypted from people p join people b on b.id = p.boss`,
  `select a.email_encrypted as x, b.email_encrypted as y from people a, people b`,
  `select distinct on (id) id, email_encrypted from people`,
];

test('SQL that compares, sorts or computes by a column whose plaintext is gone is refused, and what the result can open is not', () => {
  for (const text of [...REFUSED, ...HIDDEN])
    assert.throws(
      () => guardStatement(text, [field('finished')]),
      (error) =>
        isSafekeepError(error, 'field-not-served') && error.remedy.includes('safekeep encrypt public.people.email --search exact'),
      text,
    );
  for (const text of TAKEN) assert.doesNotThrow(() => guardStatement(text, [field('finished')]), text);
});

test('what would be answered or returned without its ciphertext is refused before it is run', () => {
  for (const text of EMPTY)
    assert.throws(
      () => guardStatement(text, [field('finished')]),
      (error) => isSafekeepError(error, 'field-not-served') && /selects the empty column.*Nothing was run/.test(error.message),
      text,
    );
});

test('ciphertext that would be taken for that of another row, or counted, is refused in every phase, and before it is run', () => {
  const phases = [field('finished'), field('switched'), { ...field('switched'), direction: 'out' as const }];
  const leaving = { ...field('added'), direction: 'out' as const };
  for (const known of [...phases, leaving]) {
    for (const text of MISTAKEN)
      assert.throws(
        () => guardStatement(text, [known]),
        (error) => isSafekeepError(error, 'field-not-served') && error.message.includes('Nothing was run'),
        `${known.phase} ${text}`,
      );
    for (const text of [...TAKEN, ...PAIRED]) assert.doesNotThrow(() => guardStatement(text, [known]), `${known.phase} ${text}`);
  }
});

test('a name by the numbers of its characters is refused, which may be that of any column', () => {
  for (const text of [
    `select count(*) from people where U&"\\0065mail" is null`,
    `select id from u&"\\0070eople" where email = 'a'`,
    `select id from people where U&"d!0065mail" uescape '!' = 'a'`,
  ])
    assert.throws(
      () => guardStatement(text, [field('finished')]),
      (error) => isSafekeepError(error, 'field-not-served'),
      text,
    );
  guardStatement(`select 'U&"x"', U&'\\0065', u & "x" from people`, [field('finished')]);
});

test('as long as the plaintext stands SQL may ask for it, and no more once values come back into it row by row', () => {
  for (const text of [...REFUSED, ...HIDDEN, ...EMPTY]) {
    guardStatement(text, [field('switched')]);
    assert.throws(() => guardStatement(text, [{ ...field('switched'), direction: 'out' }]), text);
  }
});

test('on the way back an upsert may set the column to what the row proposes for it', () => {
  const upsert = 'insert into people (id, email, email_encrypted) values ($1, $2, $3) on conflict (id) do update set';
  const back = [{ ...field('switched'), direction: 'out' as const }];
  guardStatement(`${upsert} email = excluded.email, email_encrypted = excluded.email_encrypted`, back);
  assert.throws(() => guardStatement(`${upsert} email = excluded.email || ''`, back));
  assert.throws(() => guardStatement(`${upsert} email = excluded.email`, [field('finished')]));
});

/** Of rows without ciphertext the column says the same in every phase: as the plugin for Kysely asks, and the guide says to. */
const UNSEALED = [
  `select "id" from "people" where ("email_exact_index" in ($1) or ("email_encrypted" is null and "email" = $2))`,
  `select id from people where email_exact_index = $1 or (email_encrypted is null and email in ($2, $3))`,
  `select id from people p where (p.email_encrypted is null and p.email is null) or p.id = 1`,
  `select id from people where not (public.people.email_encrypted is not null or public.people.email is not null)`,
  `update people set name = 'x' where (email_encrypted is null and email = $1)`,
];

/** One of the two tests is of another row, or of rows that have ciphertext, or something beside them is. */
const NOT_UNSEALED = [
  `select id from people where email_exact_index = $1 or email_encrypted is null and email = $2`,
  `select id from people where (email_encrypted is not null and email = $1)`,
  `select id from people where (email_encrypted is null or email = $1)`,
  `select id from people where (email_encrypted is null and id = 1 or email = $1)`,
  `select id from people where (email_encrypted is null and email = $1 or email = $2)`,
  `select id from people where (email_encrypted is null and email = 'a' or id = 1)`,
  `select id from people where (name_encrypted is null and email = $1)`,
  `select id from people where (id = 1 or email_encrypted is null and email = $1)`,
  `select a.id from people a join people b on (a.email_encrypted is null and b.email = $1)`,
  `select a.id from people a join people b on (email_encrypted is null and b.email = $1)`,
  `select id from people where (email_encrypted is null and (email = $1))`,
  `select id from people where (email_encrypted is null and lower(email) = $1)`,
];

test('what rows without ciphertext have in the column may be asked in every phase, and of no other rows', () => {
  const back = { ...field('switched'), direction: 'out' as const };
  for (const known of [field('switched'), field('unread'), field('nulled'), field('finished'), back])
    for (const text of UNSEALED) assert.doesNotThrow(() => guardStatement(text, [known]), `${known.phase} ${text}`);
  for (const known of [field('unread'), field('finished'), back])
    for (const text of NOT_UNSEALED)
      assert.throws(
        () => guardStatement(text, [known]),
        (error) => isSafekeepError(error, 'field-not-served'),
        `${known.phase} ${text}`,
      );
  for (const text of UNSEALED) assert.throws(() => guardStatement(text, [{ ...field('finished'), mode: 'database' }]), text);
});

test('a statement of a thousand rows is read in no time', () => {
  const rows = Array.from({ length: 5_000 }, (_, place) => `($${place * 3 + 1}, $${place * 3 + 2}, (select $${place * 3 + 3}))`);
  const start = performance.now();
  guardStatement(`insert into people (id, name, email_encrypted) values ${rows.join(', ')} returning id`, [field('finished')]);
  assert.ok(performance.now() - start < 1_000);
});

/** Names that are a row's or the table's elsewhere are columns' here. */
const CALLED_ALIKE = [
  `update people set old = $1, "new" = $2 where id = 1 returning id`,
  `update people set (old, name) = ($1, 'x') where new = $2 returning id, name`,
  `insert into people (id, old, new) values (1, $1, $2) returning id`,
  `insert into people (id, old) values (1, $1) on conflict (old) do update set new = excluded.new returning id`,
  `delete from people where old is null or new = any ($1) returning id`,
  `with w as (update people set old = 'a' where id = 1 returning id) select old from visits join w on w.id = visits.at`,
  `select "public"."people"."email", "public"."people"."email_encrypted" as "email__sealed" from "public"."people"`,
  `update "public"."people" set "name" = $1 returning "public"."people"."email", "public"."people"."email_encrypted" as "email__sealed"`,
  `select people, at from visits where people = $1 order by people`,
  `select v.id from visits v where lower(people) like $1 group by v.id, people having max(people) > $2`,
  `update visits set people = $1 where id = $2 returning people`,
  `update visits set (people, at) = ($1, $2)`,
  `delete from visits where people is null and email = $1`,
  `select email from visits where people = $1`,
];

/** And here they are the row or the table. */
const THE_ROW = [
  `update people set old = $1 where id = 1 returning row_to_json(old)`,
  `update people set name = 'x' returning (select new::text)`,
  `update people set name = 'x' returning id, (select row_to_json(o) from (select old.*) o)`,
  `update people set name = 'x' where old = 'y' returning old.email`,
  `select row_to_json(old) from people old`,
  `select new::text from visits v join rooms r on r.id = v.room, people as new`,
  `update people old set name = row_to_json(old) where id = 1 returning id`,
  `insert into people as old (id) values (1) on conflict (id) do update set name = old::text returning id`,
  `with old as (select * from people) select row_to_json(old) from old`,
  `select new::text from (select * from people) new`,
  `select set.id from visits as set, people p where p.email = $1`,
  `select by.id from visits by, people p where p.email = $1`,
  `select lower("public"."people"."email") from "public"."people"`,
  `select "public"."people"."email" || 'x', "public"."people"."email_encrypted" from "public"."people"`,
  `select id from visits where people = $1 and id in (select id from people where email = $1)`,
  `select id from visits where exists (table people order by 3)`,
  `select people from visits join people on true`,
  `select 1 from visits where at is distinct from people and email = $1`,
];

test('a column that is called as a row or a table is a column, and a name in front of another changes nothing', () => {
  for (const text of CALLED_ALIKE) assert.doesNotThrow(() => guardStatement(text, [field('finished')]), text);
  for (const text of THE_ROW) assert.throws(() => guardStatement(text, [field('finished')]), text);
});

/** What waits for rows, or does not wait for them, asks nothing. */
const LOCKED = ['update', 'no key update', 'share', 'key share'].flatMap((strength) => [
  `select p.id, p.email_encrypted from people p for ${strength} of p`,
  `select p.id from visits v join people p on p.id = v.person_id where v.id = $1 order by p.id for ${strength} of v, p skip locked`,
]);

test('rows may be locked by the name of their table', () => {
  for (const text of LOCKED) assert.doesNotThrow(() => guardStatement(text, [field('finished')]), text);
  for (const text of [`select share of, p::text from people p`, `select id from people p where p.email = $1 for share of p`])
    assert.throws(() => guardStatement(text, [field('finished')]), text);
});

test('of a table that is called like its column everything is refused and taken as of any other', () => {
  const alike = { ...field('finished'), table: 'email', name: 'public.email.email' };
  const renamed = (text: string): string => text.replaceAll(/\bpeople\b/g, 'email');
  for (const text of [...REFUSED, ...HIDDEN, ...EMPTY, ...MISTAKEN].map(renamed))
    assert.throws(
      () => guardStatement(text, [alike]),
      (error) => isSafekeepError(error, 'field-not-served'),
      text,
    );
  // Definitions are no work of a sealed pool, and "on" is not told from a condition.
  const taken = [...TAKEN, ...PAIRED, ...LOCKED].filter((text) => !/^(?:grant|create index)/.test(text));
  for (const text of taken.map(renamed)) assert.doesNotThrow(() => guardStatement(text, [alike]), text);
  for (const text of [
    `select extract(year from email) from email`,
    `select id from email where name is distinct from email`,
    `select id from email e where 'x' in (select email)`,
  ])
    assert.throws(() => guardStatement(text, [alike]), text);
});

test('names are folded as PostgreSQL folds them', () => {
  const quoted = [{ ...field('finished', 'E-Mail'), table: 'People' }];
  assert.throws(() => guardStatement(`select 1 from "People" where "E-Mail" = 'x'`, quoted));
  guardStatement(`select 1 from people where "E-Mail" = 'x'`, quoted);
});
