import { categoryOf, tableName } from '@safekeep/core';
import type { Column, Table } from '@safekeep/postgres';
import { byName, type Surroundings } from './by-name.ts';
import { familyOf } from './families.ts';
import type { TableLink } from './links.ts';
import { meanings } from './meanings.ts';
import type { SchemaRoles, TableRole } from './roles.ts';
import { evidenceOf, logOddsOf, outcomeOf, probabilityOf, type Candidate, type Outcome, type Reason } from './score.ts';
import { signatureOf } from './signature.ts';
import type { Speech } from './words.ts';

/** What was concluded about one column. */
export type Finding = {
  /** `none` where the decision is none. */
  readonly category: string;
  /** How sure the decision is: of the category, or of there being none. */
  readonly confidence: number;
  readonly decision: Outcome;
  readonly evidence: readonly string[];
  readonly freeText: boolean;
};

/** What is known of a schema before a value was looked at. */
export type SchemaKnowledge = SchemaRoles & { readonly speech: Speech };

/** Everything that speaks for a category in a column, but its values. */
export function candidatesOf(table: Table, column: Column, known: SchemaKnowledge): readonly Candidate[] {
  const role = known.roles.get(tableName(table));
  if (role === undefined) return [];
  const around: Surroundings = { table, role, speech: known.speech };
  const key = byKey(table, column, { role, known });
  if (key !== undefined) return [key];
  const named = byName(column, around);
  const commented = byComment(column, around);
  return [named, commented].filter((candidate) => candidate !== undefined);
}

/** A person's own number, and every reference to a person: pseudonymous, and personal (recital 26 GDPR). */
function byKey(
  table: Table,
  column: Column,
  { role, known }: { readonly role: TableRole; readonly known: SchemaKnowledge },
): Candidate | undefined {
  const name = tableName(table);
  const made = (text: string): Candidate => ({
    category: 'user.unique_id',
    reasons: [{ code: 'key', text, weight: 3.5 }],
    freeText: false,
  });
  const links = known.links.filter(({ from, columns }) => from === name && columns.includes(column.name));
  const person = links.find((link) => known.roles.get(link.to)?.role === 'person' && pointsAtPerson(link, column));
  if (person !== undefined)
    return made(`${person.declared ? 'refers' : 'refers, by its name,'} to ${person.to}, whose rows are people`);
  const signature = signatureOf(column.name, known.speech);
  // A text that refers may still be an address: orders.country -> countries.
  if (links.length > 0 && (familyOf(column) !== 'text' || signature.leaves.length === 0))
    return { category: 'none', reasons: [{ code: 'key', text: `refers to ${links[0]?.to ?? ''}`, weight: -5 }], freeText: false };
  const { primaryKey } = table;
  if (role.role !== 'person') {
    const isRowNumber =
      primaryKey?.columns.length === 1 && primaryKey.columns[0] === column.name && ['number', 'uuid'].includes(familyOf(column));
    return isRowNumber
      ? { category: 'none', reasons: [{ code: 'key', text: 'the number of its row', weight: -5 }], freeText: false }
      : undefined;
  }
  const isKey = primaryKey?.columns.length === 1 && primaryKey.columns[0] === column.name;
  const isIdByName =
    primaryKey === null && signature.id && signature.leaves.length === 0 && !signature.thing && !signature.organisation;
  return (isKey && (signature.leaves.length === 0 || signature.id || familyOf(column) !== 'text')) || isIdByName
    ? made('the number of a person in their own row')
    : undefined;
}

/** Of a composite reference only the column that tells persons apart, not the tenant beside it. */
function pointsAtPerson(link: TableLink, column: Column): boolean {
  return link.columns.length === 1 || !/tenant|org|company|account|country/i.test(column.name);
}

const SENSITIVE = /\b(pii|personal data|personenbezogen|sensitive|gdpr|dsgvo|phi|rgpd)\b/i;

/** What stands in the comment of a column counts like a name, a little less. */
function byComment(column: Column, around: Surroundings): Candidate | undefined {
  if (column.comment === null) return undefined;
  const words = column.comment.slice(0, COMMENT_LETTERS);
  const signature = signatureOf(words, around.speech);
  const leaf = signature.leaves.find((each) => each !== 'name' && meanings.get(each)?.families.has(familyOf(column)) === true);
  const marked = SENSITIVE.test(words);
  if (leaf === undefined)
    return marked && familyOf(column) !== 'boolean'
      ? {
          category: 'user',
          reasons: [{ code: 'comment', text: 'its comment says that it is personal', weight: 1.5 }],
          freeText: false,
        }
      : undefined;
  const alike = byName({ ...column, name: leaf }, around);
  const category = meanings.get(leaf)?.category;
  if (category === undefined || alike === undefined || signature.negative || signature.terms.length > COMMENT_WORDS)
    return undefined;
  return {
    ...alike,
    category,
    reasons: [
      { code: 'comment', text: `its comment speaks of ${leaf}`, weight: marked ? 0.5 : -1 },
      ...alike.reasons.filter(({ code }) => code !== 'name'),
    ],
  };
}

const COMMENT_LETTERS = 120;
/** A long comment speaks of many things besides its column. */
const COMMENT_WORDS = 8;

/** The strongest of the candidates, weighed against there being nothing personal. */
export function conclude(candidates: readonly Candidate[]): Finding {
  const best = candidates.toSorted((a, b) => logOddsOf(b) - logOddsOf(a))[0];
  if (best === undefined) return nothing([{ code: 'none', text: 'no sign of a person in name, type, place or values', weight: 0 }]);
  const probability = probabilityOf(logOddsOf(best));
  const decision = outcomeOf(probability);
  if (decision === 'none' || best.category === 'none') return nothing(best.reasons, 1 - probability);
  if (categoryOf(best.category) === undefined) throw new Error(`${best.category} is no category of the taxonomy`);
  return {
    category: best.category,
    confidence: rounded(probability),
    decision,
    evidence: best.reasons.map(evidenceOf),
    freeText: best.freeText,
  };
}

/** Where nothing speaks for anything, this sure of it. */
const SURE_OF_NOTHING = 0.9;

function nothing(reasons: readonly Reason[], confidence = SURE_OF_NOTHING): Finding {
  return {
    category: 'none',
    confidence: rounded(confidence),
    decision: 'none',
    evidence: reasons.map(evidenceOf),
    freeText: false,
  };
}

function rounded(probability: number): number {
  return Math.round(probability * 1000) / 1000;
}
