import {
  columnName,
  encryptedName,
  formatName,
  formatTableName,
  indexName,
  searchFits,
  tableName,
  type CardRule,
  type IndexKind,
  type Protection,
  type SearchKind,
  type TenantRule,
} from '@safekeep/core';
import { referencedBy, type Catalog, type Column, type Table } from '@safekeep/postgres';
import { typeOf } from './types.ts';

export type Answer = {
  /** What hangs on the column: `constraint patients_ssn_key`, `view public.adults`. */
  readonly object: string;
  /** `stops`: the field cannot be encrypted before this is answered. `changes`: it can, and this is what will be different. */
  readonly effect: 'stops' | 'changes';
  /** What breaks. */
  readonly breaks: string;
  /** What to do. */
  readonly remedy: string;
};

export type Asked = {
  readonly mode: Exclude<Protection, 'none'>;
  readonly search: readonly SearchKind[];
  readonly card: CardRule;
  /** How the map finds the tenant of a row of this table; undefined without a map. */
  readonly tenant?: TenantRule['kind'] | undefined;
};

/**
 * Everything of a table that reads or constrains a column, with what encrypting it breaks and what to do about that: known
 * from the catalogue before anything is touched, so that nothing is found out afterwards. What stands elsewhere
 * and reads it is in beside.ts, and what functions do in sources.ts.
 */
export function answersFor(catalog: Catalog, table: Table, { column, asked }: { column: Column; asked: Asked }): readonly Answer[] {
  return [
    ...aboutTable(table),
    ...aboutChildren(catalog, table),
    ...aboutTenant(table, asked),
    ...aboutRowsFound(table, asked),
    ...aboutColumn(table, column, asked),
    ...aboutKeys(catalog, table, { column, asked }),
    ...aboutChecks(table, column, asked),
    ...aboutIndexes(table, { column, asked }),
    ...aboutTriggers(table, column, asked),
    ...aboutViews(catalog, table, column),
    ...aboutRules(table),
    ...aboutPolicies(table, column),
    ...aboutSearch(column, asked),
    ...searchAnswers(column.name, asked.search),
    ...aboutUnique(table, asked.search),
    ...aboutPartitions(catalog, table, { column, asked }),
  ];
}

/** A unique index of a partitioned table must name its partition key, so none can keep a hash unique over all partitions. */
export function aboutUnique(table: Pick<Table, 'kind' | 'schema' | 'name'>, search: readonly IndexKind[]): readonly Answer[] {
  if (table.kind !== 'partitioned-table' || !search.includes('unique')) return [];
  return [
    stops(
      `search unique of partitioned table ${tableName(table)}`,
      'PostgreSQL keeps unique only what names the partition key',
      'leave it out; exact finds values',
    ),
  ];
}

/** What stands on a partition alone, and not on the table above it, stands in the way there too. */
function aboutPartitions(catalog: Catalog, table: Table, { column, asked }: Asking): readonly Answer[] {
  return catalog.tables
    .filter(({ partition }) => partition?.parent.schema === table.schema && partition.parent.table === table.name)
    .flatMap((part) => {
      const own = part.columns.find(({ name }) => name === column.name);
      if (own === undefined) return [];
      const asOwn = { ...part, partition: null };
      const asItself = { ...own, inherited: false, default: column.default === null ? own.default : null };
      const all = answersFor(catalog, asOwn, { column: asItself, asked: { ...asked, search: [], tenant: undefined } });
      const isFilled = own.notNull && !column.notNull;
      return [
        ...all
          .filter(({ effect }) => effect === 'stops')
          .map((answer) => ({ ...answer, object: `${answer.object} of partition ${tableName(part)}` })),
        ...(isFilled
          ? [
              stops(
                `NOT NULL of partition ${tableName(part)}`,
                'from finish on the column is empty there too',
                `let the whole table have it (ALTER TABLE ${tableName(table)} ALTER ${formatName(column.name)} SET NOT NULL), or drop it there`,
              ),
            ]
          : []),
      ];
    });
}

function aboutTable(table: Table): readonly Answer[] {
  const answers: Answer[] = [];
  if (table.kind !== 'table' && table.kind !== 'partitioned-table') {
    answers.push(
      stops(`${table.kind} ${tableName(table)}`, 'only tables can be given columns and triggers', 'name the table that it reads'),
    );
  }
  if (table.partition !== null) {
    const parent = formatTableName(table.partition.parent);
    answers.push(stops(`partition of ${parent}`, 'a partition has the columns of its parent', `encrypt the column of ${parent}`));
  }
  if (table.inherits.length > 0)
    answers.push(stops('inheritance', 'the column belongs to several tables', 'encrypt the column of the parent'));
  if (table.rowSecurity.forced) {
    answers.push(
      stops(
        'row security that is forced',
        'rows that its owner cannot see would stay readable',
        'take FORCE off the table (NO FORCE ROW LEVEL SECURITY)',
      ),
    );
  }
  return answers;
}

/** Children of old-style inheritance take over new columns, but neither triggers nor what is done to rows of the parent alone. */
function aboutChildren(catalog: Catalog, table: Table): readonly Answer[] {
  return catalog.tables
    .filter(({ inherits }) => inherits.some(({ schema, table: parent }) => schema === table.schema && parent === table.name))
    .map((child) =>
      stops(
        `child table ${tableName(child)}`,
        'its rows belong to this table too, and would keep their plaintext',
        `take it out (ALTER TABLE ${tableName(child)} NO INHERIT ${tableName(table)}), or make partitions of it`,
      ),
    );
}

/** One field has one key, and a key belongs to one tenant: rows of several would share it, and none could be shredded alone. */
function aboutTenant(table: Table, { tenant }: Asked): readonly Answer[] {
  if (tenant !== 'column' && tenant !== 'path') return [];
  return [
    stops(
      `rows of several tenants in ${tableName(table)}`,
      'all values of a column are sealed under the key of one tenant',
      'not served yet: keep each tenant in a schema or database of its own',
    ),
  ];
}

/** A view has no place to find a row by, so its triggers go by the primary key. */
function aboutRowsFound(table: Table, { mode }: Asked): readonly Answer[] {
  if (mode !== 'database' || table.primaryKey !== null || table.kind !== 'table') return [];
  return [
    changes(
      `no primary key on ${tableName(table)}`,
      `${tableName(table)}_decrypted shows rows and takes INSERT, but refuses UPDATE and DELETE`,
      'give the table a primary key, or write to the table itself',
    ),
  ];
}

function aboutColumn(table: Table, column: Column, { mode, card }: Asked): readonly Answer[] {
  const answers: Answer[] = [];
  const name = columnName(table, column.name);
  if (card === 'forbidden') {
    answers.push(
      stops(
        name,
        'verification codes, PINs and track contents may not be kept after authorisation, not even encrypted (PCI DSS 3.3.1)',
        'delete the column',
      ),
    );
  }
  if (card === 'number') {
    answers.push(
      changes(
        `card number ${name}`,
        `${formatName(indexName(column.name, 'card_bin'))} and ${formatName(indexName(column.name, 'card_last4'))} stand beside it in the clear, which is all that may be shown (PCI DSS 4.0.1, 3.4.1)`,
        'show those; let nobody read them who may not see them',
      ),
    );
  }
  if (typeOf(column) === undefined)
    answers.push(stops(name, `values of type ${column.type} have no encrypted form`, 'change its type to text first'));
  if (column.generated !== null)
    answers.push(stops(name, 'it is generated by the database from others', 'encrypt the columns that it is made of'));
  if (column.domain?.notNull === true)
    answers.push(
      stops(
        `domain ${column.domain.name} of ${name}`,
        'it refuses NULL, and from finish on the column is empty',
        'change its type to the one beneath the domain, or drop NOT NULL of the domain',
      ),
    );
  else if ((column.domain?.checks.length ?? 0) > 0)
    answers.push(
      changes(
        `checks of domain ${column.domain?.name ?? ''} of ${name}`,
        'from finish on they are no longer tested: the database cannot see the value',
        'test it in the application before sealing',
      ),
    );
  if (column.identity !== null) answers.push(stops(name, 'it is numbered by the database', 'leave it as it is'));
  if (column.inherited) answers.push(stops(name, 'it comes from a parent table', 'encrypt the column of the parent'));
  if (column.default !== null) {
    answers.push(
      mode === 'client'
        ? stops(
            `default of ${name}`,
            'the database would write its default as plaintext',
            'DROP DEFAULT and let the application give the value, or use --mode database',
          )
        : changes(`default of ${name}`, 'nothing: the trigger seals the default as any other value', 'nothing to do'),
    );
  }
  const made = table.columns.find(({ generated }) => generated !== null && mentions(generated.expression, column.name));
  if (made !== undefined) {
    answers.push(
      stops(
        `generated column ${made.name}`,
        'it is computed from the plaintext and would keep it',
        `drop ${made.name}, or encrypt nothing it is made of`,
      ),
    );
  }
  if (table.partitionKey !== null && mentions(table.partitionKey, column.name)) {
    answers.push(
      stops('partition key', 'rows are placed by the plaintext', 'partition by another column (the month it was made, say)'),
    );
  }
  if (column.notNull) {
    answers.push(
      changes(
        `NOT NULL of ${name}`,
        'from finish on a constraint on the ciphertext says it instead; decrypt brings it back',
        'nothing to do',
      ),
    );
  }
  return answers;
}

type Asking = { readonly column: Column; readonly asked: Asked };

function aboutKeys(catalog: Catalog, table: Table, { column, asked: { search } }: Asking): readonly Answer[] {
  const has = ({ columns }: { readonly columns: readonly string[] }): boolean => columns.includes(column.name);
  const answers: Answer[] = [];
  if (table.primaryKey !== null && has(table.primaryKey)) {
    answers.push(
      stops(
        `primary key ${table.primaryKey.name}`,
        'rows are found by the plaintext',
        'give the table a key without meaning and encrypt then',
      ),
    );
  }
  for (const unique of table.uniques.filter(has)) {
    const kept = search.includes('unique') && unique.columns.length === 1 && !unique.nullsNotDistinct;
    answers.push(
      kept
        ? changes(
            `unique constraint ${unique.name}`,
            'from finish on it holds for anything, and the unique index over the whole hash says it instead',
            `write ON CONFLICT (${column.name}_unique_index) in an upsert; the SDK does`,
          )
        : stops(
            `unique constraint ${unique.name}`,
            'encrypted values never equal each other, so it would hold for anything; an upsert on it would insert doubles',
            unique.columns.length === 1
              ? 'add unique to its searches, which keeps it by a hash (the plan says what that gives away), or drop the constraint first'
              : 'drop the constraint first, or leave the column as it is',
          ),
    );
  }
  for (const foreignKey of table.foreignKeys.filter(has)) {
    answers.push(
      stops(
        `foreign key ${foreignKey.name}`,
        `it refers to ${formatTableName(foreignKey.references)} by the plaintext`,
        'refer by a key without meaning',
      ),
    );
  }
  for (const { from, foreignKey } of referencedBy(catalog, table).filter(({ foreignKey: { references } }) =>
    references.columns.includes(column.name),
  )) {
    answers.push(
      stops(`foreign key ${foreignKey.name} of ${tableName(from)}`, 'it refers to the plaintext', 'refer by another key'),
    );
  }
  for (const exclusion of table.exclusions.filter(({ elements, definition }) =>
    elements.some((element) => element.column === column.name || (element.column === null && mentions(definition, column.name))),
  )) {
    answers.push(stops(`exclusion constraint ${exclusion.name}`, 'it compares the plaintext', 'drop it first'));
  }
  return answers;
}

/** PostgreSQL takes NULL for passed, so after `nulled` a check says nothing any more, unless it is about NULL itself. */
function aboutChecks(table: Table, column: Column, { mode }: Asked): readonly Answer[] {
  return table.checks
    .filter(({ columns }) => columns.includes(column.name))
    .map(({ name, expression }) =>
      /\b(is\s+(not\s+)?null|coalesce|num_nulls|num_nonnulls)\b/i.test(expression)
        ? stops(
            `check ${name}`,
            `${expression} asks whether there is a value, and from finish on there is none in the column`,
            'drop it, or let it ask for the encrypted column',
          )
        : changes(
            `check ${name}`,
            `from finish on ${expression} is no longer tested: the database cannot see the value`,
            mode === 'client' ? 'let the application test it before sealing' : 'test it in the application, or before unlocking',
          ),
    );
}

function aboutIndexes(table: Table, { column, asked: { search } }: Asking): readonly Answer[] {
  return table.indexes
    .filter(({ primary }) => !primary)
    .flatMap((index): Answer[] => {
      const reads =
        index.keys.some(
          ({ column: key, expression }) => key === column.name || (expression !== null && mentions(expression, column.name)),
        ) ||
        index.included.includes(column.name) ||
        (index.predicate !== null && mentions(index.predicate, column.name));
      if (!reads || table.uniques.some(({ index: behind }) => behind === index.name)) return [];
      const [only] = index.keys;
      if (search.includes('unique') && isUniqueAlone(index) && only?.column === column.name) {
        return [
          changes(
            `unique index ${index.name}`,
            'from finish on it holds for anything, and the unique index over the whole hash says it instead',
            `write ON CONFLICT (${column.name}_unique_index) in an upsert; the SDK does`,
          ),
        ];
      }
      if (index.unique) {
        return [
          stops(
            `unique index ${index.name}`,
            'encrypted values never equal each other, so it would hold for anything; an upsert on it would insert doubles',
            'drop the index first, or leave the column as it is',
          ),
        ];
      }
      return [
        changes(
          `index ${index.name}`,
          'from finish on it holds only NULLs and helps no search; until then it holds the plaintext',
          'search through --search exact (last4, prefix), and drop it after finish',
        ),
      ];
    });
}

function isUniqueAlone({ unique, keys, predicate, nullsNotDistinct }: Table['indexes'][number]): boolean {
  return unique && keys.length === 1 && predicate === null && !nullsNotDistinct;
}

/** BEFORE triggers run in the order of their names; ours must see what they leave. */
function aboutTriggers(table: Table, column: Column, { mode }: Asked): readonly Answer[] {
  return table.triggers
    .filter(({ name, enabled, inherited }) => enabled !== 'disabled' && !inherited && !name.includes('safekeep'))
    .flatMap(({ name, timing, level, updateOf, function: called, definition }) => {
      if (level !== 'row') return [];
      const [, condition] = /\bWHEN \((.*)\) EXECUTE\b/s.exec(definition) ?? [];
      if (condition !== undefined && mentions(condition, column.name)) {
        return [
          stops(
            `trigger ${name}`,
            `its WHEN asks for the plaintext (${condition}), which from finish on is NULL`,
            'ask inside the function, for the encrypted column, or drop the condition',
          ),
        ];
      }
      if (timing === 'before' && name > SEALING_TRIGGER) {
        return [
          stops(
            `trigger ${name}`,
            'it runs after ours and may change the value that was sealed',
            `rename it to sort before ${SEALING_TRIGGER}`,
          ),
        ];
      }
      const watches = updateOf.length === 0 || updateOf.includes(column.name);
      if (!watches) return [];
      return [
        changes(
          `trigger ${name}`,
          `${called} ${mode === 'client' || timing === 'after' ? 'no longer sees the value from finish on' : 'sees the value only as it is written'}, and it fires for every row of the backfill`,
          'look at what it does with the column; backfill under session_replication_role = replica where it must not fire',
        ),
      ];
    });
}

function aboutViews(catalog: Catalog, table: Table, column: Column): readonly Answer[] {
  return catalog.tables.flatMap((view) => {
    // Ours, for another column of the table.
    if (view.view === null || (view.schema === table.schema && view.name === `${table.name}_decrypted`)) return [];
    const reads = view.view.reads.filter(({ schema, table: of }) => schema === table.schema && of === table.name);
    if (!reads.some((read) => read.column === column.name)) return [];
    const what = view.kind === 'materialized-view' ? 'materialized view' : 'view';
    return [
      view.kind === 'materialized-view'
        ? stops(
            `${what} ${tableName(view)}`,
            'it keeps a copy of the plaintext that nothing encrypts',
            'drop it, or take the column out of it',
          )
        : changes(
            `${what} ${tableName(view)}`,
            'from finish on it shows NULL for the column',
            `let it read ${tableName(table)}_decrypted, or read through the SDK`,
          ),
    ];
  });
}

function aboutRules(table: Table): readonly Answer[] {
  return table.rules
    .filter(({ event }) => event !== 'select')
    .map(({ name }) => stops(`rule ${name}`, 'it rewrites statements before any trigger sees them', 'make a trigger of it'));
}

/** A policy that finds NULL shows nothing or everything: neither is what was meant. */
function aboutPolicies(table: Table, column: Column): readonly Answer[] {
  return table.policies
    .filter(({ using, check }) => [using, check].some((each) => each !== null && mentions(each, column.name)))
    .map(({ name }) =>
      stops(
        `policy ${name}`,
        'it decides by the plaintext who sees or writes a row, and from finish on there is none',
        'let it go by a column that stays readable',
      ),
    );
}

function aboutSearch(column: Column, { search }: Asked): readonly Answer[] {
  const type = typeOf(column);
  if (type === undefined) return [];
  const whole = search.filter((kind) => kind === 'exact' || kind === 'unique');
  if (whole.length > 0 && /\bcitext$/.test(column.baseType)) {
    return whole.map((kind) =>
      stops(
        `search ${kind}`,
        `${column.type} takes Ann and ann for one, and a hash for two`,
        'change its type to text and let the application write one case, or search by prefix, which heeds no case',
      ),
    );
  }
  const blanks =
    whole.length > 0 && /^character(?:\(|$)/.test(column.baseType)
      ? [
          changes(
            `search ${whole.join(', ')}`,
            `${column.type} takes a value with and without blanks at its end for one, and a hash for two`,
            'look for it without',
          ),
        ]
      : [];
  const unfit = search
    .filter((kind) => !searchFits(kind, type))
    .map((kind) =>
      stops(`search ${kind}`, `values of type ${column.type} cannot be found that way`, 'leave it out, or choose another kind'),
    );
  return [...blanks, ...unfit];
}

/** What each search means, told before anything is made. */
export function searchAnswers(column: string, search: readonly IndexKind[]): readonly Answer[] {
  return search
    .filter((kind) => kind === 'unique')
    .map((kind) =>
      changes(
        `search ${kind}`,
        `the whole keyed hash of ${column} stands beside it: whoever reads the table sees which values are the same here, in old backups and after an erasure and return, and whoever has the index key can test a guess`,
        'take it only where the database must keep the value unique; exact finds values and tells less',
      ),
    );
}

/** Told for every table with a key: nobody can see from outside whether the application upserts. */
export function upsertAnswer(table: Table, column: Column): Answer | undefined {
  const unique = table.primaryKey !== null || table.uniques.length > 0;
  if (!unique) return undefined;
  // Quoted where PostgreSQL needs it: what is told is typed.
  const plain = formatName(column.name);
  const encrypted = formatName(encryptedName(column.name));
  return changes(
    'INSERT … ON CONFLICT DO UPDATE',
    `SET ${plain} = EXCLUDED.${plain} alone is refused from finish on: the proposed row carries only the ciphertext`,
    `write SET ${plain} = EXCLUDED.${plain}, ${encrypted} = EXCLUDED.${encrypted}, and the columns of its indexes likewise`,
  );
}

/** Whether SQL names a column: as a whole word, or in quotes. */
export function mentions(expression: string, column: string): boolean {
  if (expression.includes(`"${column.replaceAll('"', '""')}"`)) return true;
  return expression.split(/[^\p{L}\p{N}_$]+/u).includes(column);
}

/** Sorts behind nearly everything: BEFORE triggers run in the order of their names. */
const SEALING_TRIGGER = 'zz_safekeep_seal';

export function stops(object: string, breaks: string, remedy: string): Answer {
  return { object, effect: 'stops', breaks, remedy };
}

export function changes(object: string, breaks: string, remedy: string): Answer {
  return { object, effect: 'changes', breaks, remedy };
}
