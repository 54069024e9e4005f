import {
  applyEdits,
  categoryOf,
  checkMap,
  indexSchema,
  isAboutPeople,
  isMappable,
  ownColumns,
  purposesOf,
  readMap,
  subjectsOfTable,
  tableName,
  type ColumnText,
  type DataMap,
  type MapEdit,
  type MapFile,
  type PurposeText,
  type SchemaFacts,
  type SchemaIndex,
  UNCONFIRMED_PURPOSE,
} from '@safekeep/core';
import type { ColumnFinding, ProposedSubject } from '../model.ts';
import type { SchemaKnowledge } from './decide.ts';
import { pathsOf, type ProposedPath } from './paths.ts';

/** People, and what is theirs: a third round finds nothing any more. */
const ROUNDS_AT_MOST = 4;
/** Every note of a scan begins so; what begins otherwise is somebody's. */
export const SCAN_NOTE = 'scan:';
const NOTE_LETTERS = 300;

export type Found = {
  readonly facts: SchemaFacts;
  readonly columns: readonly ColumnFinding[];
  readonly subjects: readonly ProposedSubject[];
  readonly known: SchemaKnowledge;
};

/**
 * What must be added to a map so that it says of every column what is in it, of every row whose it is, and why it is kept as far as
 * a program may propose that. What stands in the map is left alone: tables and columns that somebody described are not touched.
 */
export function proposeEdits(file: MapFile, found: Found): readonly MapEdit[] {
  const schema = indexSchema(found.facts);
  const edits: MapEdit[] = [...subjectEdits(file, found), ...columnEdits(file, found)];
  edits.push(...pathEdits(mapWith(file, edits), { schema, found }));
  const sound = withoutBroken(file, edits, found.facts);
  // Tables inherit the purposes of their people, so what one round adds may ask for more in the next.
  const purposes: MapEdit[] = [];
  for (let round = 0; round < ROUNDS_AT_MOST; round += 1) {
    const standing = applyProposal(file, [...purposes, ...sound]);
    const more = purposeEdits(mapWith(standing, []), standing);
    if (more.length === 0) break;
    purposes.push(...more);
  }
  return [...purposes, ...sound];
}

function mapWith(file: MapFile, edits: readonly MapEdit[]): DataMap {
  const read = readMap(applyProposal(file, edits));
  if ('faults' in read) throw new Error(`The proposal makes no map: ${read.faults.map(({ message }) => message).join('; ')}`);
  return read.map;
}

/** As applyEdits, table by table: a schema of thousands of columns would otherwise be copied for each of them. */
export function applyProposal(file: MapFile, edits: readonly MapEdit[]): MapFile {
  const others = edits.filter((edit) => edit.kind === 'set-purpose' || edit.kind === 'set-subject');
  const byTable = Map.groupBy(
    edits.filter((edit) => edit.kind === 'set-table' || edit.kind === 'set-column'),
    ({ table }) => table,
  );
  const base = applyEdits(file, others);
  const tables = { ...base.tables };
  for (const some of byTable.values()) {
    const key = keyOfTable(base, some[0]?.table ?? '');
    const alone: MapFile = { version: 1, tables: tables[key] === undefined ? {} : { [key]: tables[key] } };
    Object.assign(tables, applyEdits(alone, some).tables);
  }
  return { ...base, tables };
}

function keyOfTable(file: MapFile, table: string): string {
  return Object.keys(file.tables ?? {}).find((written) => written === table || `public.${written}` === table) ?? table;
}

function subjectEdits(file: MapFile, { subjects }: Found): readonly MapEdit[] {
  const map = mapWith(file, []);
  const taken = new Set(map.subjects.keys());
  return subjects
    .filter(({ table }) => subjectsOfTable(map, table).length === 0 && !isDescribed(map, table))
    .flatMap((subject): readonly MapEdit[] => {
      if (taken.has(subject.name)) return [];
      taken.add(subject.name);
      const { name, table, key, findBy, label } = subject;
      const [only, ...more] = key;
      if (only === undefined) return [];
      return [
        {
          kind: 'set-subject',
          name,
          subject: {
            table,
            key: more.length === 0 ? only : [...key],
            ...(findBy.length === 0 ? {} : { find_by: [...findBy] }),
            ...(label === null ? {} : { label }),
          },
        },
      ];
    });
}

/** Somebody said already whose the rows of this table are. */
function isDescribed(map: DataMap, table: string): boolean {
  const mapped = map.tables.get(table);
  return mapped !== undefined && (mapped.of.length > 0 || mapped.ofNobody);
}

function columnEdits(file: MapFile, { facts, columns }: Found): readonly MapEdit[] {
  const map = mapWith(file, []);
  const byTable = Map.groupBy(columns, ({ table }) => table);
  return facts.tables.filter(isMappable).flatMap((live) => {
    const name = tableName(live);
    const mapped = map.tables.get(name);
    const own = new Set(ownColumns(live, mapped).map((column) => column.name));
    const findings = byTable.get(name) ?? [];
    return live.columns.flatMap((column, place): readonly MapEdit[] => {
      const finding = findings[place];
      if (finding === undefined || !own.has(column.name) || mapped?.columns.has(column.name) === true) return [];
      return [{ kind: 'set-column', table: name, column: column.name, values: columnText(finding) }];
    });
  });
}

/** A column as the map says it; one that a person must look at says so in its note. */
export function columnText({ category, decision, confidence, evidence, freeText, pinned }: ColumnFinding): ColumnText {
  const why = evidence.map((reason) => reason.replaceAll(/^[a-z]+: |\s*\([+-][\d.]+\)$/g, '')).join('; ');
  const short = why.length > NOTE_LETTERS ? `${why.slice(0, NOTE_LETTERS)}…` : why;
  const free = freeText ? { free_text: true } : {};
  if (category === 'none') return { category: 'none', note: pinned ? `${SCAN_NOTE} a person decided` : `${SCAN_NOTE} ${short}` };
  if (decision === 'review')
    return { category, ...free, note: `${SCAN_NOTE} to be looked at (${confidence.toFixed(2)}); ${short}` };
  return { category, ...free };
}

function pathEdits(map: DataMap, { schema, found }: { readonly schema: SchemaIndex; readonly found: Found }): readonly MapEdit[] {
  return found.facts.tables.filter(isMappable).flatMap((live): readonly MapEdit[] => {
    const name = tableName(live);
    const mapped = map.tables.get(name);
    // The rows of people themselves are theirs without being told so.
    if (mapped === undefined || isDescribed(map, name) || subjectsOfTable(map, name).length > 0) return [];
    const isPersonal = [...mapped.columns.values()].some(({ categories }) =>
      categories.some((key) => categoryOf(key)?.personal === true),
    );
    const role = found.known.roles.get(name)?.role;
    // A list of towns is not somebody's because people refer to it.
    const paths = isPersonal || role === 'about' || role === 'person' ? pathsOf(name, map, schema, found.known) : [];
    if (paths.length > 0) return [{ kind: 'set-table', table: name, values: { of: ofText(paths) } }];
    if (!isPersonal) return [];
    const ours = live.kind === 'materialized-view' ? A_COPY : NO_WAY;
    return [{ kind: 'set-table', table: name, values: nobody(mapped.note, ours) }];
  });
}

const NO_WAY = `${SCAN_NOTE} personal data without a way to a person; to be confirmed, or a path to be written`;
const A_COPY = `${SCAN_NOTE} a materialized view of personal data; it forgets a person when it is refreshed after the erasure in its tables`;

/** A note that stands there says more than ours. */
function nobody(note: string | null, ours = NO_WAY) {
  return { of: 'none' as const, ...(note === null ? { note: ours } : {}) };
}

type OfText = Record<
  string,
  | string
  | { path: string; meaning: NonNullable<ProposedPath['meaning']> }
  | (string | { path: string; meaning: NonNullable<ProposedPath['meaning']> })[]
>;

function ofText(paths: readonly ProposedPath[]): OfText {
  const bySubject = Map.groupBy(paths, ({ subject }) => subject);
  return Object.fromEntries(
    [...bySubject].map(([subject, some]) => {
      const written = some.map(({ path, meaning }) => (meaning === null ? path : { path, meaning }));
      const [only, ...more] = written;
      return [subject, only === undefined || more.length > 0 ? written : only];
    }),
  );
}

/** A path that the gate would refuse is worse than none: the person is asked instead. */
function withoutBroken(file: MapFile, edits: readonly MapEdit[], facts: SchemaFacts): readonly MapEdit[] {
  const map = mapWith(file, edits);
  const problems = checkMap(map, facts).filter(({ code }) => code === 'broken-path' || code === 'ambiguous-path');
  const broken = new Set(problems.map(({ table }) => table));
  return edits.map((edit) =>
    edit.kind === 'set-table' && broken.has(edit.table)
      ? { ...edit, values: nobody(map.tables.get(edit.table)?.note ?? null) }
      : edit,
  );
}

const TO_BE_CONFIRMED = `${SCAN_NOTE} proposed so that nothing is left out; use, basis, period and condition are to be confirmed by a person`;
/** A period that most tax and liability laws ask for; nothing is deleted by it, since no table gets a rule of retention. */
const RETENTION = '10y';

const PURPOSES: Readonly<
  Record<'plain' | 'health' | 'special' | 'criminal', { readonly name: string; readonly purpose: PurposeText }>
> = {
  plain: {
    name: UNCONFIRMED_PURPOSE,
    purpose: { use: 'essential.service', basis: 'contract', retention: RETENTION, note: TO_BE_CONFIRMED },
  },
  health: {
    name: `${UNCONFIRMED_PURPOSE}_health`,
    purpose: { use: 'essential.service', basis: 'contract', condition: 'health_care', retention: RETENTION, note: TO_BE_CONFIRMED },
  },
  special: {
    name: `${UNCONFIRMED_PURPOSE}_special`,
    purpose: {
      use: 'essential.service',
      basis: 'consent',
      condition: 'explicit_consent',
      retention: RETENTION,
      note: TO_BE_CONFIRMED,
    },
  },
  // No law is proposed for convictions and offences (Art. 10 GDPR): the gate asks for it.
  criminal: {
    name: `${UNCONFIRMED_PURPOSE}_criminal`,
    purpose: { use: 'essential.service', basis: 'legal_obligation', retention: RETENTION, note: TO_BE_CONFIRMED },
  },
};

/** Purposes for the tables that have none and need one; those of a person's own choice are left as they are. */
function purposeEdits(map: DataMap, file: MapFile): readonly MapEdit[] {
  const used = new Set<keyof typeof PURPOSES>();
  const edits = [...map.tables.values()].flatMap((table): readonly MapEdit[] => {
    if (!isAboutPeople(map, table) || table.purposes.length > 0 || table.retention !== null) return [];
    const classes = new Set(
      [...table.columns.values()]
        .flatMap(({ categories }) => categories.map((key) => ({ key, gdpr: categoryOf(key)?.gdpr ?? null })))
        .filter(({ gdpr }) => gdpr !== null),
    );
    const inherited = purposesOf(map, table).flatMap((name) => map.purposes.get(name) ?? []);
    const special = [...classes].filter(({ gdpr }) => gdpr === 'art9');
    const criminal = [...classes].some(({ gdpr }) => gdpr === 'art10');
    const suffices =
      inherited.some(({ retention }) => retention !== null) &&
      (special.length === 0 || inherited.every(({ condition }) => condition !== null)) &&
      !criminal;
    if (suffices) return [];
    const kind = criminal
      ? 'criminal'
      : special.length === 0
        ? 'plain'
        : special.every(({ key }) => key.startsWith('user.health'))
          ? 'health'
          : 'special';
    used.add(kind);
    return [{ kind: 'set-table', table: table.name, values: { purposes: [PURPOSES[kind].name] } }];
  });
  const added = [...used].filter((kind) => file.purposes?.[PURPOSES[kind].name] === undefined);
  return [
    ...added.map((kind): MapEdit => ({ kind: 'set-purpose', name: PURPOSES[kind].name, purpose: PURPOSES[kind].purpose })),
    ...edits,
  ];
}
