import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { tableName } from '@safekeep/core';
import { testDatabase, testServers, type TestDatabase } from '../testing/index.ts';
import { findTable } from './lookup.ts';
import type { Catalog, Column, Table } from './model.ts';
import { readCatalog } from './read-catalog.ts';

const fixture = (name: string): string => readFileSync(new URL(`fixtures/${name}.sql`, import.meta.url), 'utf8');

for (const server of testServers()) {
  describe(`a database with every difficulty, on PostgreSQL ${server.name}`, () => {
    let db: TestDatabase;
    let catalog: Catalog;

    before(async () => {
      db = await testDatabase(undefined, { server });
      await db.pool.query(fixture('difficult'));
      if (server.name === '18') await db.pool.query(fixture('difficult-18'));
      catalog = await readCatalog(db.pool, { schemas: ['clinic', 'Röntgen & Co.'] });
    });
    after(() => db[Symbol.asyncDispose]());

    const table = (name: string): Table => {
      const found = findTable(catalog, name);
      assert.ok(found, `${name} was not read`);
      return found;
    };
    const column = (tableName: string, name: string): Column => {
      const found = table(tableName).columns.find((each) => each.name === name);
      assert.ok(found, `${tableName}.${name} was not read`);
      return found;
    };

    test('the server and the session are described', async () => {
      const { rows } = await db.pool.query<{ number: number }>(`select current_setting('server_version_num')::int as number`);
      assert.equal(catalog.server.versionNumber, rows[0]?.number);
      assert.equal(catalog.server.database, db.database.server.database);
      assert.equal(catalog.server.user, db.database.server.user);
      assert.equal(catalog.server.standby, false);
      assert.equal(new Date(catalog.server.readAt).toISOString(), catalog.server.readAt);
    });

    test('only the schemas asked for are read, never system, temporary or TOAST tables', async () => {
      assert.deepEqual(
        catalog.schemas.map((schema) => schema.name),
        ['Röntgen & Co.', 'clinic'],
      );
      assert.deepEqual(new Set(catalog.tables.map((each) => each.schema)), new Set(['Röntgen & Co.', 'clinic']));
      const all = await readCatalog(db.pool);
      assert.deepEqual(
        all.schemas.map((schema) => schema.name),
        ['Röntgen & Co.', 'clinic', 'elsewhere', 'public'],
      );
      assert.equal(findTable(all, 'elsewhere.hidden')?.kind, 'table');
      const system = await readCatalog(db.pool, { schemas: ['pg_catalog', 'information_schema', 'pg_toast', 'missing'] });
      assert.deepEqual([system.schemas, system.tables, system.functions], [[], [], []]);
    });

    test('every kind of table is told apart', () => {
      const kinds = Object.fromEntries(catalog.tables.map((each) => [tableName(each), each.kind]));
      assert.equal(kinds['clinic.patients'], 'table');
      assert.equal(kinds['clinic.visits'], 'partitioned-table');
      assert.equal(kinds['clinic.visits_2025'], 'partitioned-table');
      assert.equal(kinds['clinic.visits_rest'], 'table');
      assert.equal(kinds['clinic.adults'], 'view');
      assert.equal(kinds['clinic.moods'], 'materialized-view');
      assert.equal(table('clinic.scratch').persistence, 'unlogged');
      assert.deepEqual(table('clinic.scratch').options, ['fillfactor=70']);
      assert.equal(table('clinic.holes').replicaIdentity, 'full');
      assert.equal(table('clinic.patients').comment, 'People we look after');
    });

    test('names with dots, quotes, blanks, capitals, other scripts, reserved words and 63 bytes come through exactly', () => {
      const odd = table('"Röntgen & Co."."Größe.""Maß"""');
      assert.equal(odd.name, 'Größe."Maß"');
      assert.deepEqual(
        odd.columns.map((each) => each.name),
        ['select', 'a.b', 'Größe in cm', 'UPPER', 'd$1'],
      );
      assert.deepEqual(
        table('clinic.order').columns.map((each) => each.name),
        ['user', 'group'],
      );
      assert.deepEqual(
        table('clinic.日本語').columns.map((each) => each.name),
        ['名前'],
      );
      assert.equal(
        table('clinic.sixty_three_bytes_long_name_that_fills_the_limit_of_postgresql').columns[0]?.name,
        'a_column_name_of_sixty_three_bytes_that_also_fills_the_limit_pg',
      );
    });

    test('a table without columns is listed, and dropped columns leave no gap', () => {
      assert.deepEqual(table('clinic.nothing').columns, []);
      assert.deepEqual(
        table('clinic.holes').columns.map(({ position, number, name }) => [position, number, name]),
        [
          [1, 2, 'b'],
          [2, 4, 'd'],
          [3, 5, 'e'],
        ],
      );
    });

    test('a type is given as declared and as stored beneath domains and arrays', () => {
      const types = (name: string) => {
        const { type, baseType, isArray, enumLabels } = column('clinic.patients', name);
        return [type, baseType, isArray, enumLabels];
      };
      const labels = ['sad', 'ok', 'very happy'];
      assert.deepEqual(types('fee'), ['numeric(10,2)', 'numeric(10,2)', false, null]);
      assert.deepEqual(types('fees'), ['numeric(10,2)[]', 'numeric(10,2)[]', true, null]);
      assert.deepEqual(types('seen_at'), ['timestamp(3) with time zone', 'timestamp(3) with time zone', false, null]);
      assert.deepEqual(types('mail'), ['clinic.email', 'character varying(80)', false, null]);
      assert.deepEqual(types('mails'), ['clinic.email[]', 'character varying(80)[]', true, null]);
      assert.deepEqual(types('labels'), ['clinic.tags', 'text[]', true, null]);
      assert.deepEqual(types('mood'), ['clinic.mood', 'clinic.mood', false, labels]);
      assert.deepEqual(types('moods'), ['clinic.mood[]', 'clinic.mood[]', true, labels]);
      assert.deepEqual(types('home'), ['clinic.address', 'clinic.address', false, null]);
      assert.deepEqual(types('code'), ['elsewhere.code', 'character(4)', false, null], 'a domain of a schema that was not read');
    });

    test('a column tells the domain of its value or elements, with the checks of the whole chain', () => {
      const checks = ["CHECK (((VALUE)::text ~ '@'::text))", 'CHECK ((length((VALUE)::text) > 0))'];
      assert.deepEqual(column('clinic.patients', 'mail').domain, { name: 'clinic.email', notNull: true, checks });
      assert.deepEqual(column('clinic.patients', 'mails').domain, { name: 'clinic.email', notNull: true, checks });
      assert.deepEqual(column('clinic.patients', 'labels').domain?.name, 'clinic.tags');
      assert.equal(column('clinic.patients', 'full_name').domain, null);
    });

    test('defaults, identities, generated columns, collations and comments are told', () => {
      assert.equal(column('clinic.patients', 'id').identity, 'always');
      assert.equal(column('clinic.patients', 'number').identity, 'by-default');
      assert.equal(column('clinic.patients', 'seen_at').default, 'now()');
      assert.equal(column('clinic.patients', 'mood').default, "'ok'::clinic.mood");
      assert.equal(column('clinic.treatments', 'line').default, "nextval('clinic.treatments_line_seq'::regclass)");
      const initials = column('clinic.patients', 'initials');
      assert.deepEqual(initials.generated, { kind: 'stored', expression: 'upper("left"(full_name, 2))' });
      assert.equal(initials.default, null);
      assert.equal(column('clinic.patients', 'german').collation, 'pg_catalog."C"');
      assert.equal(column('clinic.patients', 'full_name').collation, null);
      assert.equal(column('clinic.patients', 'mail').comment, 'Where reminders go');
      assert.equal(column('clinic.patients', 'full_name').notNull, true);
    });

    test('types of the schemas are listed with what they consist of', () => {
      const types = new Map(catalog.types.map((type) => [`${type.schema}.${type.name}`, type]));
      assert.deepEqual(
        [...types.keys()],
        ['address', 'email', 'mood', 'short_text', 'span', 'tags'].map((name) => `clinic.${name}`),
      );
      const contents = (name: string, ...keys: readonly string[]) => {
        const type: object = types.get(name) ?? {};
        return Object.fromEntries(Object.entries(type).filter(([key]) => ['kind', ...keys].includes(key)));
      };
      assert.deepEqual(contents('clinic.email', 'baseType', 'notNull'), {
        kind: 'domain',
        baseType: 'clinic.short_text',
        notNull: true,
      });
      assert.deepEqual(contents('clinic.mood', 'labels'), { kind: 'enum', labels: ['sad', 'ok', 'very happy'] });
      assert.deepEqual(contents('clinic.span', 'subtype'), { kind: 'range', subtype: 'numeric' });
      assert.deepEqual(contents('clinic.address', 'attributes'), {
        kind: 'composite',
        attributes: [
          { name: 'street', type: 'text' },
          { name: 'Postal Code', type: 'character varying(10)' },
        ],
      });
    });

    test('keys tell their columns, deferral, index and what nulls mean', () => {
      const { primaryKey, uniques } = table('clinic.bookings');
      assert.deepEqual(
        [primaryKey?.name, primaryKey?.columns, primaryKey?.index],
        ['bookings_pkey', ['tenant_id', 'id'], 'bookings_pkey'],
      );
      assert.deepEqual(
        uniques.map((each) => [each.name, each.columns, each.deferral, each.nullsNotDistinct]),
        [
          ['bookings_number', ['tenant_id', 'room'], 'deferrable', false],
          ['bookings_tenant_id_note_key', ['tenant_id', 'note'], 'not-deferrable', true],
        ],
      );
    });

    test('foreign keys tell their pairs, actions, match and state: composite, to itself, in a circle', () => {
      const [toPatient, toSelf] = table('clinic.bookings').foreignKeys;
      assert.ok(toPatient && toSelf);
      assert.deepEqual(
        [toPatient.columns, toPatient.onUpdate, toPatient.onDelete, toPatient.deferral],
        [['patient_id'], 'cascade', 'cascade', 'initially-deferred'],
      );
      assert.deepEqual(toPatient.references, {
        oid: table('clinic.patients').oid,
        schema: 'clinic',
        table: 'patients',
        columns: ['id'],
      });
      assert.deepEqual(
        [toSelf.columns, toSelf.references.table, toSelf.references.columns, toSelf.onDelete, toSelf.onDeleteColumns],
        [['tenant_id', 'replaces_id'], 'bookings', ['tenant_id', 'id'], 'set-null', ['replaces_id']],
      );
      const [toBooking] = table('clinic.treatments').foreignKeys;
      assert.deepEqual(
        [toBooking?.match, toBooking?.onUpdate, toBooking?.onDelete, toBooking?.validated, toBooking?.enforced],
        ['full', 'restrict', 'no-action', false, true],
      );
      assert.equal(table('clinic.teams').foreignKeys[0]?.references.table, 'staff');
      assert.equal(table('clinic.staff').foreignKeys[0]?.references.table, 'teams');
    });

    test('a foreign key to a partitioned table is one key, and that of a partition is marked as inherited', () => {
      assert.deepEqual(
        table('clinic.visit_notes').foreignKeys.map((key) => [key.references.table, key.onDelete]),
        [['visits', 'cascade']],
      );
      const keys = ['visits', 'visits_2025', 'visits_2025_de', 'visits_2025_de_1', 'visits_rest'].map((name) =>
        table(`clinic.${name}`).foreignKeys.map((key) => [key.references.table, key.inherited]),
      );
      assert.deepEqual(keys, [[['patients', false]], ...Array.from({ length: 4 }, () => [['patients', true]])]);
    });

    test('checks and exclusions tell the columns they read', () => {
      const [fee, mood] = table('clinic.patients').checks;
      assert.deepEqual([fee?.name, fee?.columns, fee?.noInherit], ['fee_not_negative', ['fee'], false]);
      assert.equal(fee?.expression, "((fee >= (0)::numeric) AND (fee < '1000000'::numeric))");
      assert.deepEqual([mood?.name, mood?.columns, mood?.noInherit], ['mood_known', ['mood'], true]);
      assert.equal(table('clinic.bookings').checks[0]?.validated, false);
      const [exclusion] = table('clinic.bookings').exclusions;
      assert.deepEqual(exclusion?.elements, [{ column: 'during', operator: '&&' }]);
      assert.match(exclusion.definition, /^EXCLUDE USING gist \(during WITH &&\) WHERE/);
    });

    test('indexes tell keys, order, expressions, included columns, condition and size', () => {
      const indexes = new Map(table('clinic.patients').indexes.map((index) => [index.name, index]));
      const byMail = indexes.get('patients_mail_key');
      assert.deepEqual(
        [byMail?.unique, byMail?.keys[0]?.column, byMail?.keys[0]?.expression, byMail?.predicate],
        [true, null, 'lower((mail)::text)', '(guardian_id IS NULL)'],
      );
      const byName = indexes.get('patients_name_idx');
      assert.deepEqual(byName?.keys, [
        { column: 'full_name', expression: null, descending: true, nullsFirst: false },
        { column: 'id', expression: null, descending: false, nullsFirst: false },
      ]);
      assert.deepEqual(byName.included, ['mood', 'fee']);
      assert.equal(indexes.get('patients_labels_idx')?.method, 'gin');
      assert.equal(indexes.get('patients_pkey')?.primary, true);
      assert.equal(indexes.get('patients_pkey')?.sizeBytes, 8192);
      assert.match(indexes.get('patients_pkey')?.definition ?? '', /^CREATE UNIQUE INDEX patients_pkey ON clinic\.patients /);
      assert.equal(indexes.get('patients_pkey')?.valid, true);
      assert.equal(table('clinic.visits').indexes.find((index) => index.name === 'visits_pkey')?.sizeBytes, null);
      assert.equal(table('clinic.moods').indexes[0]?.name, 'moods_key');
    });

    test('partitions tell their parent and bound, through every level; old-style children their parents', () => {
      const partition = (name: string) => {
        const { partitionKey, partition: at } = table(`clinic.${name}`);
        return [partitionKey, at?.parent.table, at?.bound];
      };
      assert.deepEqual(partition('visits'), ['RANGE (visited_on)', undefined, undefined]);
      assert.deepEqual(partition('visits_2025'), ['LIST (country)', 'visits', "FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')"]);
      assert.deepEqual(partition('visits_2025_de'), ['HASH (id)', 'visits_2025', "FOR VALUES IN ('de', 'at')"]);
      assert.deepEqual(partition('visits_2025_de_1'), [null, 'visits_2025_de', 'FOR VALUES WITH (modulus 2, remainder 1)']);
      assert.deepEqual(partition('visits_rest'), [null, 'visits', 'DEFAULT']);
      assert.equal(table('clinic.visits_rest').indexes.find((index) => !index.unique)?.parent, 'visits_patient_idx');
      assert.deepEqual(table('clinic.scanner').inherits, [{ schema: 'clinic', table: 'device' }]);
      assert.deepEqual(
        table('clinic.scanner').columns.map((each) => [each.name, each.inherited]),
        [
          ['serial', true],
          ['resolution', false],
          ['bought_on', true],
        ],
      );
    });

    test('triggers tell events, timing, level and whether they fire; those of foreign keys are left out', () => {
      const triggers = (name: string) => table(name).triggers.map(({ oid: _, definition: __, ...trigger }) => trigger);
      const common = { function: 'clinic.stamp', updateOf: [], enabled: 'origin', inherited: false };
      assert.deepEqual(triggers('clinic.patients'), [
        { ...common, name: 'stamp', events: ['insert', 'update'], updateOf: ['full_name', 'mail'], timing: 'before', level: 'row' },
        { ...common, name: 'stamp_statement', events: ['truncate'], timing: 'after', level: 'statement', enabled: 'disabled' },
      ]);
      assert.deepEqual(triggers('clinic.adults'), [
        { ...common, name: 'through_view', events: ['insert'], timing: 'instead-of', level: 'row' },
      ]);
      assert.deepEqual(triggers('clinic.visits_rest'), [
        { ...common, name: 'on_visit', events: ['delete'], timing: 'after', level: 'row', inherited: true },
      ]);
      assert.match(
        table('clinic.staff').triggers[0]?.definition ?? '',
        /^CREATE CONSTRAINT TRIGGER later .* DEFERRABLE INITIALLY DEFERRED/,
      );
    });

    test('row security tells whether it is on, forced, and by which policies', () => {
      assert.deepEqual(table('clinic.patients').rowSecurity, { enabled: true, forced: false });
      assert.deepEqual(table('clinic.staff').rowSecurity, { enabled: true, forced: true });
      assert.deepEqual(
        table('clinic.patients').policies.map(({ oid: _, ...policy }) => policy),
        [
          {
            name: 'own_rows',
            command: 'select',
            roles: ['public'],
            permissive: false,
            using: '(full_name = CURRENT_USER)',
            check: null,
          },
          { name: 'writes', command: 'insert', roles: ['public'], permissive: true, using: null, check: '(fee < (100)::numeric)' },
        ],
      );
    });

    test('a view tells the columns it reads, directly, also through a security invoker', () => {
      assert.deepEqual(table('clinic.adults').view?.reads, [
        { schema: 'clinic', table: 'patients', column: 'id' },
        { schema: 'clinic', table: 'patients', column: 'full_name' },
        { schema: 'clinic', table: 'patients', column: 'guardian_id' },
      ]);
      assert.deepEqual(table('clinic.adult_names').view?.reads, [{ schema: 'clinic', table: 'adults', column: 'full_name' }]);
      assert.deepEqual(table('clinic.patient_count').view?.reads, [{ schema: 'clinic', table: 'patients', column: null }]);
      assert.deepEqual(
        table('clinic.moods').view?.reads.map((read) => read.column),
        ['id', 'mood'],
      );
      assert.deepEqual(table('clinic.adults').options, ['security_invoker=true', 'security_barrier=true']);
      assert.match(table('clinic.adults').view?.definition ?? '', /FROM clinic\.patients/);
      assert.equal(table('clinic.patients').view, null);
    });

    test('a rule that somebody wrote is told, that of a view is not', () => {
      const [rule] = table('clinic.staff').rules;
      assert.deepEqual([rule?.name, rule?.event, rule?.instead, rule?.enabled], ['no_deletes', 'delete', true, 'origin']);
      assert.deepEqual(table('clinic.adults').rules, []);
    });

    test('functions tell what tells them apart, how they run, and a hash of their body', () => {
      const functions = new Map(catalog.functions.map((each) => [`${each.name}(${each.identityArguments})`, each]));
      assert.deepEqual([...functions.keys()].toSorted(), [
        'fee_of(patient bigint)',
        'fee_of(patient bigint, at timestamp with time zone)',
        'longest(text)',
        'stamp()',
        'tidy(INOUT count integer)',
      ]);
      const stamp = functions.get('stamp()');
      assert.deepEqual(
        [stamp?.kind, stamp?.language, stamp?.returns, stamp?.securityDefiner, stamp?.config],
        ['function', 'plpgsql', 'trigger', true, ['search_path=""']],
      );
      assert.deepEqual(
        [functions.get('tidy(INOUT count integer)')?.kind, functions.get('longest(text)')?.kind],
        ['procedure', 'aggregate'],
      );
      const fees = [...functions.values()].filter((each) => each.name === 'fee_of');
      assert.equal(new Set(fees.map((each) => each.bodySha256)).size, 2);
      // sha256sum of ` begin return new; end `
      assert.equal(stamp?.bodySha256, '90daacc06e1b8fd15aaec07ba6f65250aa7a231da39d0d3089a4dffbe6501525');
    });

    test('sequences tell their numbers exactly and the column they serve', () => {
      const sequences = new Map(catalog.sequences.map((each) => [each.name, each]));
      assert.deepEqual(sequences.get('patients_id_seq')?.ownedBy, {
        schema: 'clinic',
        table: 'patients',
        column: 'id',
        as: 'identity',
      });
      assert.equal(sequences.get('patients_id_seq')?.maximum, '9223372036854775807');
      assert.deepEqual(sequences.get('treatments_line_seq')?.ownedBy, {
        schema: 'clinic',
        table: 'treatments',
        column: 'line',
        as: 'serial',
      });
      const { oid: _, ...receipts } = sequences.get('receipts') ?? {};
      assert.deepEqual(receipts, {
        schema: 'clinic',
        name: 'receipts',
        extension: null,
        persistence: 'permanent',
        type: 'integer',
        start: '-1',
        increment: '-3',
        minimum: '-1000',
        maximum: '-1',
        cache: '7',
        cycle: true,
        ownedBy: null,
      });
    });

    test('estimates and sizes are told, and that a table was never analysed', async () => {
      assert.equal(table('clinic.patients').rowEstimate, -1);
      await db.pool.query(`insert into clinic.device select 'serial ' || i from generate_series(1, 5000) i; analyze clinic.device`);
      const device = findTable(await readCatalog(db.pool), 'clinic.device');
      assert.equal(device?.rowEstimate, 5000);
      const { rows } = await db.pool.query<{ pages: number; size: string }>(
        `select relpages as pages, pg_table_size(oid) as size from pg_class where oid = 'clinic.device'::regclass`,
      );
      assert.deepEqual([device?.pages, device?.sizeBytes], [rows[0]?.pages, Number(rows[0]?.size)]);
      assert.equal(table('clinic.adults').sizeBytes, null);
      assert.equal(table('clinic.visits').sizeBytes, null);
    });

    test('named NOT NULLs are told from PostgreSQL 18 on, and that a column is not null by every version', () => {
      const names = table('clinic.staff').notNulls.map((each) => each.column);
      assert.deepEqual(names, server.name === '18' ? ['id'] : []);
      assert.equal(column('clinic.staff', 'id').notNull, true);
    });

    if (server.name === '18') {
      test('what PostgreSQL 18 brought is told: virtual columns, temporal keys, constraints not enforced or not validated', () => {
        const leases = table('clinic.leases');
        assert.deepEqual(column('clinic.leases', 'yearly').generated, { kind: 'virtual', expression: '(rent * (12)::numeric)' });
        assert.equal(leases.primaryKey?.withoutOverlaps, true);
        assert.equal(leases.checks[0]?.enforced, false);
        assert.deepEqual(
          leases.notNulls.filter((each) => each.name.endsWith('_given')).map((each) => [each.name, each.column, each.validated]),
          [
            ['rent_given', 'rent', true],
            ['tenant_given', 'tenant', false],
          ],
        );
        const [key] = table('clinic.sublets').foreignKeys;
        assert.deepEqual([key?.period, key?.columns, key?.references.columns], [true, ['room', 'during'], ['room', 'during']]);
      });
    }

    test('the whole catalogue survives JSON', () => {
      assert.deepEqual(JSON.parse(JSON.stringify(catalog)), catalog);
    });

    test('a table of 1,600 columns is read whole', async () => {
      const names = Array.from({ length: 1600 }, (_, place) => `c${place + 1}`);
      await db.pool.query(`create schema wide; create table wide.most (${names.map((name) => `${name} int`).join(', ')})`);
      const most = findTable(await readCatalog(db.pool, { schemas: ['wide'] }), 'wide.most');
      assert.deepEqual(
        most?.columns.map((each) => each.name),
        names,
      );
    });

    test('extensions, their members, foreign tables and event triggers are told', async (t) => {
      const { rowCount } = await db.pool.query(`select from pg_available_extensions where name in ('postgres_fdw', 'citext')`);
      if (rowCount !== 2) return t.skip('skipped: this server has no contrib modules');
      await db.pool.query(`
        create schema remote;
        create extension citext schema remote;
        create extension postgres_fdw schema remote;
        create server far foreign data wrapper postgres_fdw;
        create foreign table remote.patients (name remote.citext options (column_name 'n') not null, age int) server far;
        create function remote.watch() returns event_trigger language plpgsql as 'begin end';
        create event trigger on_ddl on ddl_command_end when tag in ('CREATE TABLE', 'DROP TABLE') execute function remote.watch();
        alter event trigger on_ddl disable`);
      const read = await readCatalog(db.pool, { schemas: ['remote'] });
      const far = findTable(read, 'remote.patients');
      assert.deepEqual([far?.kind, far?.foreignServer, far?.columns[0]?.type], ['foreign-table', 'far', 'remote.citext']);
      assert.deepEqual(
        read.extensions.filter((each) => each.schema === 'remote').map((each) => each.name),
        ['citext', 'postgres_fdw'],
      );
      assert.ok(read.functions.some((each) => each.extension === 'citext'));
      assert.equal(read.functions.find((each) => each.name === 'watch')?.extension, null);
      assert.deepEqual(read.eventTriggers, [
        {
          name: 'on_ddl',
          event: 'ddl_command_end',
          tags: ['CREATE TABLE', 'DROP TABLE'],
          function: 'remote.watch',
          enabled: 'disabled',
        },
      ]);
    });

    test('another role is told what it may do; a table it may not read is listed all the same', async () => {
      const role = `"reader of ${db.database.server.database}"`;
      await db.pool.query(`
        create role ${role};
        grant select, delete on clinic.patients to ${role};
        grant select (id), update (id, patient_id) on clinic.bookings to ${role}`);
      const client = await db.pool.connect();
      try {
        await client.query(`set role ${role}`);
        const read = await readCatalog(client, { schemas: ['clinic'] });
        assert.equal(read.server.user, role.slice(1, -1));
        assert.equal(read.server.superuser, false);
        assert.equal(read.tables.length, catalog.tables.filter((each) => each.schema === 'clinic').length);
        const none = { select: false, insert: false, update: false, delete: false, truncate: false };
        assert.deepEqual(findTable(read, 'clinic.patients')?.privileges, { ...none, select: true, delete: true });
        assert.deepEqual(findTable(read, 'clinic.bookings')?.privileges, none);
        assert.deepEqual(
          findTable(read, 'clinic.bookings')
            ?.columns.filter(({ privileges }) => privileges.select || privileges.insert || privileges.update)
            .map(({ name, privileges }) => [name, privileges]),
          [
            ['id', { select: true, insert: false, update: true }],
            ['patient_id', { select: false, insert: false, update: true }],
          ],
        );
      } finally {
        client.release(true);
        await db.pool.query(`drop owned by ${role}; drop role ${role}`);
      }
    });
  });

  test(`on PostgreSQL ${server.name} a database in an old encoding is read too`, async (t) => {
    const { pool, url, database } = await testDatabase(t, { server });
    const name = `${database.server.database}_latin`;
    await pool.query(`create database ${name} template template0 encoding latin1 locale 'C'`);
    const latin = new pg.Pool({ connectionString: url.reveal().replace(database.server.database, name) });
    try {
      await latin.query(`
        create table "größe" ("maß" text default 'ä' check ("maß" <> 'ö'));
        create function f() returns text language sql as $$ select 'ß' $$`);
      const catalog = await readCatalog(latin);
      assert.equal(catalog.server.encoding, 'LATIN1');
      assert.equal(findTable(catalog, '"größe"')?.columns[0]?.default, "'ä'::text");
    } finally {
      await latin.end();
      // PostgreSQL waits some seconds for a backend that is about to leave.
      await pool.query(`drop database ${name}`);
    }
  });
}
