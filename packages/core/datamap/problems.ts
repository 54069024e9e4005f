import type { ResolvedPath } from './resolve.ts';
import type { MapPointer } from './shape.ts';

/**
 * Everything that the gate finds, by code. Closed: docs/map-problems.md is generated from it. What is said of a single place is
 * composed where it is found.
 */
export const problemCatalogue = {
  // ---- map and database ---------------------------------------------------------------------------------------------
  'unclassified-column': {
    means: 'A column of the database does not stand in the map: nobody has said what is in it.',
    mend: 'Add it under columns with its category, or with none and a note; `safekeep scan --write` proposes one.',
  },
  'vanished-column': {
    means: 'The map names a column that the database does not have.',
    mend: 'Remove it, or give it its new name if it was renamed.',
  },
  'vanished-table': {
    means: 'The map names a table that the database does not have.',
    mend: 'Remove it, or give it its new name if it was renamed.',
  },
  'vanished-trigger': {
    means: 'The map lets a trigger write outside of it that the table does not have, or that writes to a table that is not there.',
    mend: 'Remove it, or correct its name: what is let through must be known.',
  },
  'table-unreadable': {
    means: 'The database user may not read the table, so nothing can be said about it.',
    mend: 'Grant SELECT on it to the user that Safekeep connects as.',
  },
  'view-in-map': {
    means: 'The map names a view. A view holds no rows: what it shows stands in its tables.',
    mend: 'Remove it, and map the tables under it.',
  },
  'partition-in-map': {
    means: 'The map names a partition. Its rows are rows of the partitioned table.',
    mend: 'Map the partitioned table instead.',
  },

  // ---- whose data ---------------------------------------------------------------------------------------------------
  'missing-subject': {
    means:
      'The table is about people, and the map does not say about whom: an export would leave it out, an erasure leave it standing.',
    mend: 'Say it under of; where no subject stands for these people, write `of: none` and a note.',
  },
  'authors-only': {
    means:
      'The table holds personal data, and its only paths lead to those who wrote the rows: no export would show the data, and no erasure mask it.',
    mend: 'Add the path to the person whom the rows are about; or say `of` at the columns that are about the author, or what erasure does with them.',
  },
  'ambiguous-path': {
    means: 'Several ways of equal length lead from the table to the person, and only you know which of them are meant.',
    mend: 'Write those that are meant under of: one, or a list where the row is about several people.',
  },
  'broken-path': {
    means: 'A path does not lead to the table of the subject.',
    mend: 'Correct the names in it, or name the columns that it arrives at.',
  },
  'unknown-subject': {
    means: 'A subject is named that the map does not define.',
    mend: 'Define it under subjects, or correct its name.',
  },
  'subject-column': {
    means: 'A key, find_by or label names a column that the table of the subject does not have, or that cannot serve.',
    mend: 'Name a column of that table; a key must be unique and not null.',
  },
  'column-path': {
    means: "A column is said to be somebody's by a path that is none of the paths of its table.",
    mend: 'Write one of the paths that stand under of.',
  },
  'outside-path': {
    means: 'A place outside of the database is to be erased, and its path or address does not lead safely to one person.',
    mend: 'Files: an absolute path with {key}. A webhook: https, with {key} in the path or behind it, and no password. A command: a program, then {key}.',
  },
  'tenant-missing': {
    means: 'A table about people has no tenant: its rows could not be kept apart from those of others.',
    mend: 'Give the table a tenant: { column: … } or { path: … }.',
  },

  // ---- why and how long ---------------------------------------------------------------------------------------------
  'unknown-purpose': {
    means: 'A purpose is named that the map does not define.',
    mend: 'Define it under purposes, or correct its name.',
  },
  'purpose-without-basis': {
    means: 'A purpose has no legal basis (Art. 6(1) GDPR).',
    mend: 'Give it a basis: consent, contract, legal_obligation, vital_interests, public_task or legitimate_interests.',
  },
  'unknown-use': {
    means: 'The use of a purpose is no data use of fideslang.',
    mend: 'Take one of its keys, such as essential.service.',
  },
  'special-without-condition': {
    means: 'Data of a special category is processed for a purpose without a condition of Art. 9(2) GDPR.',
    mend: 'Give the purpose its condition, or keep such data out of its tables.',
  },
  'criminal-without-law': {
    means: 'Data on convictions and offences is processed for a purpose that cites no law allowing it (Art. 10 GDPR).',
    mend: 'Cite the law under cite of the purpose.',
  },
  'missing-retention': {
    means: 'Personal data for which nothing says how long it stays.',
    mend: 'Give the table a retention, or one of its purposes.',
  },
  'retention-column': {
    means: 'A period counts from a column that is missing or holds no date.',
    mend: 'Name a column of type date or timestamp.',
  },

  // ---- what is in a column ------------------------------------------------------------------------------------------
  'unknown-category': {
    means: 'A category is no key of the taxonomy.',
    mend: 'Take one of its keys; `docs/categories.md` lists them.',
  },
  'none-without-note': {
    means: 'A column is said to be not personal, and not why.',
    mend: 'Write a note: who looked, and what is in it.',
  },

  // ---- what can be done to it ---------------------------------------------------------------------------------------
  'erase-refused': {
    means: 'The database would refuse what erasure is to do to the column.',
    mend: 'Choose another action, or a value that fits.',
  },
  'protect-unsupported': {
    means: 'The values of the column cannot be encrypted.',
    mend: 'Remove protect, or change the column.',
  },
  'search-unprotected': {
    means: 'Search is asked for on a column that is not encrypted, or together with one that is not encrypted as it is.',
    mend: 'Remove search or search_with, or give the column protect.',
  },
} as const satisfies Readonly<Record<string, { readonly means: string; readonly mend: string }>>;

export type ProblemCode = keyof typeof problemCatalogue;

export type MapProblem = {
  readonly code: ProblemCode;
  /** External name; null where the problem is of no table. */
  readonly table: string | null;
  /** As it stands in the database. */
  readonly column: string | null;
  /** Where in the map, with canonical names of tables and columns; the nearest place that exists. */
  readonly pointer: MapPointer;
  readonly message: string;
  readonly remedy: string;
  /** The ways that an ambiguous path could mean, so that their rows can be counted. */
  readonly candidates?: readonly Pick<ResolvedPath, 'subject' | 'table' | 'hops'>[];
};

type Place = { readonly table?: string; readonly column?: string; readonly pointer: MapPointer };

/** A problem at a place; without a remedy of its own it has that of its code. */
export function problemAt(
  code: ProblemCode,
  place: Place,
  message: string,
  remedy: string = problemCatalogue[code].mend,
): MapProblem {
  return { code, table: place.table ?? null, column: place.column ?? null, pointer: place.pointer, message, remedy };
}

export function tablePlace(table: string, ...within: MapPointer): Place {
  return { table, pointer: ['tables', table, ...within] };
}

export function columnPlace(table: string, column: string, ...within: MapPointer): Place {
  return { table, column, pointer: ['tables', table, 'columns', column, ...within] };
}
