import { tableName } from '@safekeep/core';
import type { Column, Table } from '@safekeep/postgres';
import { byName } from './by-name.ts';
import { candidatesOf, conclude, type Finding, type SchemaKnowledge } from './decide.ts';
import { familyOf, type Family } from './families.ts';
import { leavesOf } from './leaves.ts';
import type { Role, TableRole } from './roles.ts';
import { normalise } from '../text/normalise.ts';
import { logOddsOf, REVIEW_FROM, probabilityOf, type Candidate, type Reason } from './score.ts';
import { signatureOf } from './signature.ts';
import {
  agree,
  kindsIn,
  looksLikeProse,
  looksLikeSentences,
  mentionsPeople,
  personsIn,
  priorOf,
  refutation,
  rivalOf,
  areBareNumbers,
  needsWord,
  type Sample,
  type ValueFinding,
} from './values.ts';

/** What was seen of a column: its values, where some were read, and what the server counted. */
export type Observed = { readonly sample: Sample | undefined; readonly averageWidth: number | null };

/** Kinds of values that are looked at. */
const READABLE: ReadonlySet<Family> = new Set(['text', 'json', 'array', 'unknown', 'number']);

export function isReadable(column: Column): boolean {
  return READABLE.has(familyOf(column)) && column.privileges.select;
}

/** Whether a name leaves it open what is in a column, so that its values are worth reading. */
export function isUndecided(column: Column, finding: Finding): boolean {
  const family = familyOf(column);
  if (family === 'json') return true;
  return (family === 'text' || family === 'array' || family === 'unknown') && finding.decision !== 'certain';
}

/** Weighs everything that is known of a column. */
export function weighColumn(table: Table, column: Column, known: SchemaKnowledge, seen: Observed): Finding {
  const role = known.roles.get(tableName(table));
  const named = candidatesOf(table, column, known);
  if (
    role === undefined ||
    named.some(({ reasons }) => reasons.some(({ code }) => code === 'key')) ||
    !READABLE.has(familyOf(column))
  )
    return conclude(named);
  const observed = plainly(seen);
  const values = observed.sample?.values ?? [];
  if (familyOf(column) === 'json') return conclude([...named, ...ofDocument(table, { values, role, known })]);
  return conclude([
    ...withValues(named, observed, { table, column, role, known }),
    ...ofProse(column, { named, observed, role, known }),
  ]);
}

/** Marks of direction, full-width digits and no-break spaces hide a value from its pattern, as they do in a text. */
function plainly({ sample, averageWidth }: Observed): Observed {
  return {
    sample: sample === undefined ? undefined : { ...sample, values: sample.values.map((value) => normalise(value).text) },
    averageWidth,
  };
}

type Place = {
  readonly table: Table;
  readonly column: Pick<Column, 'name'>;
  readonly role: TableRole;
  readonly known: SchemaKnowledge;
};

function withValues(named: readonly Candidate[], { sample }: Observed, place: Place): readonly Candidate[] {
  if (sample === undefined || sample.values.length === 0) return named;
  const { column, role } = place;
  const found = kindsIn(sample);
  const persons = named.length === 0 ? personsIn(sample) : undefined;
  const rival = rivalOf(column.name, sample.values);
  const weighed = named.map((candidate) => {
    const seen = found.find(({ category }) => agree(category, candidate.category));
    const against = refutation(candidate.category, sample.values);
    return {
      ...candidate,
      // What the values show may be more exact than what the name says.
      category: seen !== undefined && seen.category.startsWith(candidate.category) ? seen.category : candidate.category,
      reasons: [
        ...candidate.reasons,
        ...(seen === undefined ? [] : [bounded(seen, role.role)]),
        ...(against === undefined ? [] : [against]),
        ...(candidate.category === 'user.name' && role.role === 'thing' ? besideContacts(sample, place) : []),
      ],
    };
  });
  const fresh = found
    .filter(({ category }) => named.every((candidate) => !agree(category, candidate.category)))
    .filter(({ kind }) => !needsWord(kind) || !areBareNumbers(sample.values))
    .slice(0, KINDS_AT_MOST)
    .map((value): Candidate => ({
      category: value.category,
      reasons: [
        bounded(value, role.role),
        { code: 'table', text: role.reason, weight: priorOf(role.role) },
        ...(rival === undefined ? [] : [rival]),
      ],
      freeText: false,
    }));
  const names: readonly Candidate[] =
    persons === undefined
      ? []
      : [
          {
            category: 'user.name',
            reasons: [persons, { code: 'table', text: role.reason, weight: priorOf(role.role) }],
            freeText: false,
          },
        ];
  return [...weighed, ...fresh, ...names];
}

const CONTACTS = new Set(['email', 'phone', 'mobile']);

/** A `waiting_list` is called a thing, and its rows are people where names stand beside ways to reach them. */
function besideContacts(sample: Sample, { table, known }: Place): readonly Reason[] {
  const contact = table.columns.find(({ name }) => {
    const { leaves, negative, organisation } = signatureOf(name, known.speech);
    return !negative && !organisation && CONTACTS.has(leaves.at(-1) ?? '');
  });
  const persons = contact === undefined ? undefined : personsIn(sample);
  if (contact === undefined || persons === undefined) return [];
  return [persons, { code: 'table', text: `${contact.name} stands beside it`, weight: CONTACT_WEIGHT }];
}

/** With the names as values enough to be looked at by a person. */
const CONTACT_WEIGHT = 1.5;
const KINDS_AT_MOST = 3;
const ORGANISATION_WEIGHT = 0.5;
const THING_WEIGHT = 3.5;

/** That a value is an address for mail is no sign that it is a person's: with an organisation it is the organisation's. */
function bounded({ category, reason }: ValueFinding, role: Role): Reason {
  const most = category.startsWith('user.contact')
    ? role === 'organisation'
      ? ORGANISATION_WEIGHT
      : role === 'thing'
        ? THING_WEIGHT
        : Infinity
    : Infinity;
  return reason.weight <= most ? reason : { ...reason, weight: most };
}

function ofProse(
  column: Column,
  {
    named,
    observed,
    role,
    known,
  }: {
    readonly named: readonly Candidate[];
    readonly observed: Observed;
    readonly role: TableRole;
    readonly known: SchemaKnowledge;
  },
): readonly Candidate[] {
  if (familyOf(column) !== 'text' || named.some((candidate) => probabilityOf(logOddsOf(candidate)) >= REVIEW_FROM)) return [];
  const signature = signatureOf(column.name, known.speech);
  if (named.some(({ reasons }) => reasons.some(({ code }) => code === 'type')) || signature.id) return [];
  const values = observed.sample?.values ?? [];
  const isProse = looksLikeProse(values, observed.averageWidth);
  // A name of three words is no sentence, and speaks of a person where somebody's name is in it.
  if (!isProse && (signature.leaves.includes('name') || !looksLikeSentences(values))) return [];
  const { hits, looked } = mentionsPeople(values);
  if (!isProse && hits === 0) return [];
  const isTheirs = role.role === 'person' || role.role === 'about';
  // What nobody is told to own is worth a look only where people are spoken of.
  if (!isTheirs && (role.role !== 'unknown' || hits < looked * MENTIONS_SHARE)) return [];
  return [
    {
      category: role.speaksOfHealth ? 'user.health_and_medical.clinical_note' : 'user.content.private',
      reasons: [
        { code: 'values', text: 'its values are sentences, in which anything may stand', weight: isTheirs ? 0.4 : -1.2 },
        ...(hits === 0 ? [] : [{ code: 'values' as const, text: `${hits} of ${looked} texts speak of a person`, weight: 1.6 }]),
        { code: 'table', text: role.reason, weight: 0 },
      ],
      freeText: true,
    },
  ];
}

/** Of some texts, before a column that belongs to nobody is worth a look. */
const MENTIONS_SHARE = 0.3;

/** A document is what the most telling of its leaves is. */
function ofDocument(
  table: Table,
  { values, role, known }: { readonly values: readonly string[]; readonly role: TableRole; readonly known: SchemaKnowledge },
): readonly Candidate[] {
  const leaves = leavesOf(values);
  const judged = leaves.flatMap(({ key, values: of }) => {
    const around = { table, role, speech: known.speech, inDocument: true };
    const named = byName(leafColumn(key), around);
    const candidates = withValues(
      named === undefined ? [] : [named],
      { sample: { values: of, source: 'sample' }, averageWidth: null },
      { table, column: { name: key }, role, known },
    );
    const best = candidates.toSorted((a, b) => logOddsOf(b) - logOddsOf(a))[0];
    return best === undefined || probabilityOf(logOddsOf(best)) < REVIEW_FROM ? [] : [best];
  });
  const best = judged.toSorted((a, b) => logOddsOf(b) - logOddsOf(a))[0];
  if (best === undefined) return [];
  const spoken = [...new Set(judged.map(({ category }) => category))].toSorted();
  return [
    {
      category: spoken.length > 1 && judged.length > 2 ? common(spoken) : best.category,
      reasons: [
        {
          code: 'json',
          text: `${judged.length} of ${leaves.length} leaves are personal: ${spoken.join(', ')}`,
          weight: logOddsOf(best),
        },
        ...best.reasons.map((reason) => ({ ...reason, weight: 0 })),
      ],
      freeText: judged.some(({ freeText }) => freeText),
    },
  ];
}

/** A key inside a document, seen as a column of text of its own. */
function leafColumn(key: string): Column {
  return {
    position: 0,
    number: 0,
    name: key,
    type: 'text',
    baseType: 'text',
    isArray: false,
    domain: null,
    enumLabels: null,
    notNull: false,
    default: null,
    identity: null,
    generated: null,
    collation: null,
    inherited: false,
    comment: null,
    privileges: { select: true, insert: false, update: false },
  };
}

/** The key that all of these lie below; the first where that is only `user`. */
function common(categories: readonly string[]): string {
  const [first = 'user', ...rest] = categories;
  const parts = first.split('.');
  while (parts.length > 1 && !rest.every((other) => `${other}.`.startsWith(`${parts.join('.')}.`))) parts.pop();
  return parts.length > 1 ? parts.join('.') : first;
}
