import type { Beside } from '../model.ts';
import { changes, stops, type Answer } from './refusals.ts';

/** The column and its ciphertext as they are typed, and about how many rows the table has: -1 where nobody knows. */
type Names = { readonly column: string; readonly encrypted: string; readonly rowEstimate?: number };

type Told = Names & { readonly name: string; readonly of: string };

/** About what names the column, or reads rows as a whole, outside of its table. */
export function besideAnswer({ kind, name, table }: Beside, names: Names): Answer {
  return ABOUT[kind]({ ...names, name: name ?? table ?? '', of: table === null ? '' : ` of ${table}` }, table ?? '');
}

const ABOUT: Readonly<Record<Beside['kind'], (told: Told, table: string) => Answer>> = {
  'audit': ({ encrypted, rowEstimate = -1 }) =>
    changes(
      'audit of the table',
      `its capture follows: a row is logged with its ciphertext in ${encrypted} from the moment it has one, and without the plaintext beside it`,
      `nothing to do; the log takes an event for each row that is sealed${rowEstimate < 0 ? '' : `, about ${rowEstimate}`}, and as many when its plaintext goes; one for all columns that go together`,
    ),
  'collation': ({ name }) =>
    stops(
      `collation ${name}`,
      'it takes texts for one that are written differently (it is not deterministic), and ciphertext tells them apart: what was equal would not be found',
      'give the column a deterministic collation and let the application write one form',
    ),
  'column-grant': ({ name, encrypted }) =>
    changes(
      `grant on the column to ${name}`,
      `${encrypted} is another column, on which it has no right yet`,
      `GRANT the same on ${encrypted} and its index columns to ${name}`,
    ),
  'materialized-view': ({ name }) =>
    stops(
      `materialized view ${name}`,
      'it keeps a copy of the plaintext that nothing encrypts (what it reads of the column, of whole rows, or of views that do)',
      'drop it, or take the column out of what it reads',
    ),
  'policy': ({ name, of }) =>
    stops(
      `policy ${name}${of}`,
      'it decides by the plaintext who sees or writes a row, and from finish on there is none',
      'let it go by a column that stays readable',
    ),
  'publication': ({ name, encrypted }) =>
    changes(
      `publication ${name}`,
      `it lists the columns that it sends; subscribers get NULL for this one from finish on, and not ${encrypted}`,
      `add ${encrypted} to the list (ALTER PUBLICATION), and to the subscriber's table`,
    ),
  'publication-filter': ({ name }) =>
    stops(
      `rows of publication ${name}`,
      'it picks them by the plaintext, and from finish on there is none: subscribers would lose the rows',
      'let its WHERE go by a column that stays readable',
    ),
  'publication-of-all': ({ name, encrypted }) =>
    changes(
      `publication ${name}`,
      `it sends every column: a subscriber whose table has no ${encrypted} stops applying as soon as the column is added here, and gets NULL for the plaintext from finish on`,
      `add ${encrypted} (bytea) and its index columns to the subscriber's table before you go on`,
    ),
  'row-column': ({ name }, table) =>
    stops(
      `column ${table}.${name}`,
      'it holds rows of the table as values, the plaintext in them, and nothing encrypts those',
      'give it columns of its own for what it needs, and drop it',
    ),
  'rule': ({ name, of, column }) =>
    changes(
      `rule ${name}${of}`,
      `it reads or writes the column inside of the database: from finish on it reads NULL, and a statement for which it writes ${column} without a key fails`,
      'drop it, or make a trigger of it that leaves the column alone',
    ),
  'statistics': ({ name }) =>
    changes(
      `statistics ${name}`,
      'they hold values of the column until ANALYZE runs after finish, and help no plan then',
      'drop them after finish',
    ),
  'subscription': ({ name }) =>
    stops(
      `subscription ${name}`,
      PAST_TRIGGERS,
      `ALTER SUBSCRIPTION ${name} DISABLE until finish has run, or take the table out of the publication; encrypt it where the rows come from`,
    ),
  'subscription-off': ({ name }) =>
    changes(
      `subscription ${name}, disabled`,
      PAST_TRIGGERS,
      'leave it disabled until finish has run, and let it send no plaintext of the column then',
    ),
  'typed-table': ({ name }) =>
    stops(
      `type ${name} of the table`,
      'a table OF a type takes no column of its own',
      'make it an ordinary table first (ALTER TABLE … NOT OF)',
    ),
  'view': ({ name }) =>
    changes(
      `view ${name}`,
      'from finish on it shows NULL for what it reads of the column, through another view or in whole rows',
      'let it read the view …_decrypted, or read through the SDK',
    ),
  'whole-row-check': ({ name }) =>
    stops(
      `check ${name}`,
      'it looks at the whole row: what it says of one without the plaintext nobody can tell, and finish would fail at it',
      'let it take the columns that it tests, or drop it',
    ),
  'whole-row-index': ({ name }) =>
    changes(
      `index ${name}`,
      'it is made of the whole row, the plaintext in it: until finish it holds what it makes of that, and another thing afterwards',
      'let it take the columns that it needs',
    ),
  'whole-row-unique': ({ name }) =>
    stops(
      `unique index ${name}`,
      'it compares what it makes of the whole row, the plaintext in it, and from finish on that is another thing',
      'let it take the columns that it needs, or drop it first',
    ),
};

const PAST_TRIGGERS =
  'what it writes comes in past our triggers: until finish a new plaintext would keep the old ciphertext beside it, which is what readers get, and afterwards plaintext is refused and the subscription stops';
