import { bareType } from '@safekeep/core';
import type { Column, Table } from '@safekeep/postgres';
import { declaredLength, familyOf, type Family } from './families.ts';
import { meanings, type Meaning, type Need } from './meanings.ts';
import type { Role, TableRole } from './roles.ts';
import type { Candidate, Reason } from './score.ts';
import { stem } from './links.ts';
import { signatureOf, type Signature } from './signature.ts';
import { splitName, type Speech } from './words.ts';

/** What a column stands in, as far as its name needs it. */
export type Surroundings = {
  readonly table: Table;
  readonly role: TableRole;
  readonly speech: Speech;
  /** Its name is a key inside a document, so what somebody wrote: no word of it that is not of the lexicon is told. */
  readonly inDocument?: boolean;
};

/** What each need is worth in each kind of table, in log-odds. */
const WORTH: Readonly<Record<Need, Readonly<Record<Role, number>>>> = {
  anywhere: { person: 4, about: 4, unknown: 3, organisation: 2, thing: 1.9 },
  contact: { person: 4, about: 3.5, unknown: 2.6, organisation: -2, thing: 0.4 },
  person: { person: 4, about: 2.6, unknown: 0.3, organisation: -1, thing: -2 },
  address: { person: 3.5, about: 2.4, unknown: 0.3, organisation: -2, thing: -3 },
  row: { person: 3.2, about: -1.8, unknown: -3, organisation: -4, thing: -4 },
  free: { person: 2.6, about: 2.2, unknown: -1.5, organisation: -3, thing: -3 },
  health: { person: 3.5, about: 3, unknown: 0.2, organisation: -3, thing: -2.5 },
};

const NAMES = new Set([
  'first-name',
  'last-name',
  'full-name',
  'maiden-name',
  'middle-name',
  'name',
  'relative',
  'nickname',
  'initials',
  'honorific',
]);
/** Words that are used of much else: only beside other parts of an address do they mean one. */
const PLACE_WORDS = new Set(['state', 'country', 'city', 'location']);
const ADDRESS_TABLE = /addr|adres|direcc|indirizz|endere|domicil|anschrift/i;
/** What is called "… id" without being a reference. */
const NUMBERS_OF_PERSONS = new Set([
  'passport',
  'ssn',
  'tax-id',
  'license',
  'device',
  'cookie',
  'session',
  'email',
  'social',
  'record-no',
  'insurance-no',
  'student-no',
  'employee-no',
  'member-no',
  'card-number',
  'vehicle',
  'iban',
  'credential',
  'username',
]);
/** Secrets stay secrets as a hash, and have types and versions in one word with them. */
const SECRETS = new Set(['password', 'credential']);
/** A password is one as a hash, too. */
const SECRET_FORMS = /^(hash|digest|checksum|code|key|encrypted|mask)$/;
const ANY_NUMBER = /^(id ?number|identity no|identity number|national number|identification number)$/;
const FREE_TEXT = new Set(['note', 'message', 'bio', 'answer', 'clinical-note', 'condition', 'performance']);
/** Everyday words that mean health only where something else speaks of it. */
const EVERYDAY = new Set([
  'condition',
  'treatment',
  'height',
  'weight',
  'mental',
  'laboratory',
  'disability',
  'insurance-no',
  'insurance',
  'medication',
  'symptom',
  'reason',
]);

/** What the name of a column says, if anything. */
export function byName(column: Column, around: Surroundings): Candidate | undefined {
  const signature = signatureWithin(column, around);
  const family = familyOf(column);
  const leaf = leafOf(signature, around);
  if (leaf === undefined) return withoutLeaf(column, { signature, family, around });
  const meaning = meanings.get(leaf);
  if (meaning === undefined) return undefined;
  if (!meaning.families.has(family)) {
    return {
      category: meaning.category,
      reasons: [{ code: 'type', text: `a ${family} holds no ${leaf}`, weight: -9 }],
      freeText: false,
    };
  }
  if (NUMBERS_OF_PERSONS.has(leaf) && isAmount(column)) {
    return {
      category: meaning.category,
      reasons: [{ code: 'type', text: `an amount is no ${leaf}`, weight: -9 }],
      freeText: false,
    };
  }
  return {
    category: categoryFor(leaf, meaning, around),
    reasons: [
      { code: 'name', text: saidBy(leaf, signature), weight: 0 },
      tableReason(leaf, meaning, { signature, around }),
      ...qualifiers(leaf, { signature, family, around }),
      ...lengthReason(leaf, column),
    ],
    freeText: FREE_TEXT.has(leaf) && (family === 'text' || family === 'json'),
  };
}

/** `vat numeric(10,2)`, or a numeric that the database computes: a number of somebody has no places after the point, and no formula. */
function isAmount(column: Column): boolean {
  const type = bareType(column);
  if (column.isArray || (type !== 'numeric' && type !== 'double precision' && type !== 'real')) return false;
  return column.generated !== null || /^numeric\(\d+,[1-9]/.test(column.baseType);
}

function saidBy(leaf: string, { terms }: Signature): string {
  const term = terms.findLast(({ meanings: some }) => some.has(leaf));
  return `"${term?.text ?? leaf}" means ${leaf}`;
}

/** The last word that says what it is; before a bare "name" the one it is the name of. */
function leafOf({ leaves, person, terms }: Signature, { table, speech }: Surroundings): string | undefined {
  const last = leaves.at(-1);
  // `nombre` and `nome` are first names beside a last name, and any name elsewhere.
  if ((last === 'first-name' || last === 'last-name') && terms.length === 1 && NAME_ALONE.test(terms[0]?.text ?? '')) {
    const other = last === 'first-name' ? 'last-name' : 'first-name';
    if (!table.columns.some(({ name }) => signatureOf(name, speech).leaves.includes(other))) return 'name';
  }
  const before = leaves.at(-2);
  if (last === undefined || before === undefined) return last;
  if (last === 'name' && !person) return before;
  // registration_ip_address, reply_email_address
  if (last === 'address' && ['ip', 'email', 'mac'].includes(before)) return before;
  // "address_city" is a city, "city_address" an address; "email_address" is one term already.
  return last;
}

const NAME_ALONE = /^(nombres?|nome|nom|nume|ad|last|first|apelido)$/;

/** Without the table's own name before it: `comment_author_ip` of wp_comments. */
function signatureWithin(column: Pick<Column, 'name'>, { table, speech }: Pick<Surroundings, 'table' | 'speech'>): Signature {
  const whole = signatureOf(column.name, speech);
  const own = splitName(table.name).at(-1);
  const [first, ...rest] = splitName(column.name);
  if (own === undefined || first === undefined || rest.length === 0 || stem(own) !== stem(first)) return whole;
  // A phrase that begins with it means more than its rest: user_agent of users.
  if (whole.terms[0]?.text !== first && whole.leaves.length > 0) return whole;
  const within = signatureOf(rest.join('_'), speech);
  if (within.leaves.length < whole.leaves.length || within.terms.length === 0) return whole;
  return { ...within, person: within.person || whole.person };
}

function categoryFor(leaf: string, meaning: Meaning, { role }: Surroundings): string {
  if (leaf === 'note' && role.speaksOfHealth) return 'user.health_and_medical.clinical_note';
  return meaning.category;
}

function tableReason(
  leaf: string,
  meaning: Meaning,
  { signature, around }: { readonly signature: Signature; readonly around: Surroundings },
): Reason {
  const { role } = around;
  const text = role.reason;
  const worth = WORTH[meaning.need][role.role];
  // "doctor_name", "payer name": the column itself says that it is a person's.
  const ofPerson = signature.person && !signature.thing && !signature.organisation;
  if (NAMES.has(leaf) && ofPerson)
    return { code: 'table', text: `${text}; the name speaks of a person itself`, weight: Math.max(worth, 2.8) };
  if (ofPerson && ['contact', 'address', 'person'].includes(meaning.need))
    return { code: 'table', text: `${text}; the name speaks of a person itself`, weight: Math.max(worth, 2.6) };
  if (['first-name', 'last-name', 'full-name', 'maiden-name'].includes(leaf) && role.role === 'unknown')
    return { code: 'table', text, weight: 2.4 };
  if (role.namesPerson && worth < 0 && role.role === 'organisation' && ['contact', 'person'].includes(meaning.need))
    return { code: 'table', text: `${text}, and names somebody there`, weight: 0.2 };
  if (leaf === 'state' && signature.terms.length === 1 && role.role !== 'person' && !role.hasBareAddress)
    return { code: 'table', text: `${text}; it may be the state that the row is in`, weight: -2.5 };
  if (meaning.need === 'address' && PLACE_WORDS.has(leaf) && !role.hasAddress)
    return {
      code: 'table',
      text: `${text}; no other part of an address is beside it`,
      weight: leaf === 'state' ? -2.5 : Math.min(worth, role.role === 'person' ? 2 : -1.5),
    };
  if (meaning.need === 'address' && role.role === 'unknown' && role.hasAddress && role.namesPerson)
    return { code: 'table', text, weight: 2 };
  if (meaning.need === 'address' && role.role === 'unknown')
    return {
      code: 'table',
      text: role.hasStreet ? text : `${text}; no street is beside it`,
      weight: role.hasStreet && ADDRESS_TABLE.test(around.table.name) ? 0.5 : -1.2,
    };
  if (
    role.role === 'unknown' &&
    ['person', 'health', 'row', 'free'].includes(meaning.need) &&
    signatureOf(around.table.name, around.speech).leaves.includes(leaf)
  )
    return { code: 'table', text: `${text}; it lists what there is`, weight: -2 };
  if (meaning.need === 'health' && EVERYDAY.has(leaf) && !role.aboutHealth)
    return {
      code: 'table',
      text: `${text}; nothing else in it speaks of health`,
      weight: Math.min(
        worth,
        role.role === 'person' && leaf !== 'reason' && leaf !== 'height' && leaf !== 'weight'
          ? 1.9
          : leaf === 'reason' || leaf === 'height' || leaf === 'weight'
            ? -1.5
            : 0,
      ),
    };
  return { code: 'table', text, weight: worth };
}

function qualifiers(
  leaf: string,
  { signature, family, around }: { readonly signature: Signature; readonly family: Family; readonly around: Surroundings },
): readonly Reason[] {
  const isSecret = SECRETS.has(leaf);
  const found: Reason[] = [];
  const odd = around.inDocument === true ? 'a word of its name' : `"${signature.unknown[0] ?? ''}"`;
  const add = (text: string, weight: number): void => void found.push({ code: 'qualifier', text, weight });
  if (
    isSecret &&
    signature.terms.some(({ text, meanings: some }) => some.has('@negative') && !some.has(leaf) && !SECRET_FORMS.test(text))
  )
    add('its name speaks of something about it, not of it', -6);
  if (leaf === 'username' && signature.unknown.length > 0 && !signature.person) add(`${odd} makes it something else`, -2.5);
  if (
    leaf === 'ssn' &&
    around.role.role !== 'person' &&
    around.role.role !== 'about' &&
    signature.terms.some(({ text }) => ANY_NUMBER.test(text))
  )
    add('things have such numbers too', -2.5);
  if (signature.negative && !isSecret && !isPlainNegative(leaf, signature)) {
    const mild = family === 'text' && isBefore(leaf, signature) && meanings.get(leaf)?.need === 'contact';
    add('its name speaks of something about it, not of it', mild ? -0.8 : -6);
  }
  if (signature.organisation && (NAMES.has(leaf) || isContact(leaf))) add('its name speaks of an organisation', -4.5);
  if (signature.thing && NAMES.has(leaf)) add('its name speaks of a thing', -5);
  if (signature.thing && !NAMES.has(leaf)) add('its name speaks of a thing', isSecret ? -0.5 : -2);
  if (signature.id && !NUMBERS_OF_PERSONS.has(leaf) && !isSecret) add('it is the number of a row', -6);
  if (leaf === 'reason' && signature.unknown.length > 0) add('of something else', -4);
  if (signature.id && family !== 'text' && ['email', 'iban', 'card-number', 'vehicle', 'credential'].includes(leaf))
    add('it is the number of a row', -6);
  if (signature.anonymous && !isSecret) add('its name says that it is masked', -2.9);
  if (leaf === 'name' && signature.unknown.length > 0 && !signature.person) add(`${odd} is not known to be a person`, -1.6);
  if (family === 'enum' && (NAMES.has(leaf) || isContact(leaf) || leaf === 'note')) add('its type lists all values', -5);
  if (around.role.role === 'person' && signature.person && leaf === 'name' && signature.author) add('who made the row', -1);
  return found;
}

/** "home status" is about the home; a negative word that belongs to the phrase of the meaning does not count. */
function isPlainNegative(leaf: string, { terms }: Signature): boolean {
  return terms.every(({ meanings: some }) => !some.has('@negative') || some.has(leaf));
}

/** `notification_email` is an address; `email_notification` is none. */
function isBefore(leaf: string, { terms }: Signature): boolean {
  const at = terms.findIndex(({ meanings: some }) => some.has(leaf));
  return terms.every(
    ({ text, meanings: some }, place) =>
      !some.has('@negative') || (place < at && !/^(is|has|can|use|should|must|allow|allowed|show|num|count|total)$/.test(text)),
  );
}

function isContact(leaf: string): boolean {
  return meanings.get(leaf)?.need === 'contact' || meanings.get(leaf)?.need === 'address';
}

/** A column that is too short for what its name says. */
function lengthReason(leaf: string, column: Column): readonly Reason[] {
  const length = declaredLength(column);
  if (length === null) return [];
  const least = { email: 6, phone: 5, street: 5, address: 6, note: 20, message: 20, iban: 8, ssn: 4, password: 4 }[leaf] ?? 1;
  return length >= least ? [] : [{ code: 'length', text: `${length} letters are too few for ${leaf}`, weight: -4 }];
}

/** Names without a meaning of their own: the number of a person, or a person. */
function withoutLeaf(
  column: Column,
  { signature, family, around }: { readonly signature: Signature; readonly family: Family; readonly around: Surroundings },
): Candidate | undefined {
  const { role } = around;
  const textual = family === 'text' || family === 'array';
  const candidate = (category: string, text: string, weight: number): Candidate => ({
    category,
    reasons: [
      { code: 'name', text, weight: signature.anonymous ? Math.min(weight, 0.3) : weight },
      { code: 'table', text: role.reason, weight: 0 },
    ],
    freeText: false,
  });
  if (
    signature.person &&
    !PARENT.test(column.name) &&
    !signature.author &&
    !signature.negative &&
    !signature.thing &&
    !signature.organisation &&
    signature.unknown.length === 0 &&
    (family === 'number' || family === 'uuid') &&
    signature.terms.length <= 2 &&
    !signature.date
  )
    return candidate('user.unique_id', 'the number of a person', 2);
  const plain = !PARENT.test(column.name) && !signature.negative && !signature.thing && !signature.organisation && !signature.date;
  if (
    signature.person &&
    (signature.id || signature.number) &&
    plain &&
    ['text', 'number', 'uuid', 'array', 'unknown'].includes(family)
  )
    return candidate('user.unique_id', 'the number of a person', role.role === 'thing' ? 1.9 : 2.6);
  if (!textual) return undefined;
  if (signature.author && plain && !signature.id) return candidate('user.unique_id', 'who made the row', 0.2);
  if (role.role === 'about' && signatureOf(around.table.name, around.speech).person && ATTRIBUTE.test(column.name))
    return candidate('user', 'whatever is kept of a person under a name', 0.2);
  const tableLeaf = signatureOf(around.table.name, around.speech).leaves.at(-1);
  const tableMeaning = meanings.get(tableLeaf ?? '');
  if (role.role === 'about' && tableMeaning !== undefined && tableMeaning.need !== 'health' && VALUE.test(column.name))
    return candidate(tableMeaning.category, `it holds the ${tableLeaf ?? ''} that its table is about`, 2);
  const healthLeaf = signatureOf(around.table.name, around.speech).leaves.find((leaf) => meanings.get(leaf)?.need === 'health');
  if (
    role.aboutHealth &&
    role.role === 'about' &&
    DESCRIBES.test(column.name) &&
    !signature.person &&
    !/type$/i.test(column.name)
  ) {
    const category = meanings.get(healthLeaf ?? 'condition')?.category ?? 'user.health_and_medical';
    return candidate(
      category,
      healthLeaf === undefined
        ? 'it describes what a table around health is about'
        : `it describes the ${healthLeaf} that its table is about`,
      healthLeaf === undefined ? 0.5 : 2,
    );
  }
  if (signature.person && plain && signature.unknown.length === 0 && signature.terms.length <= 2) {
    if (CONTACT.test(column.name) && role.role === 'person') return candidate('user.contact', 'how to reach a person', 2.4);
    if (USER.test(column.name)) return candidate('user.account.username', 'it names a user', role.role === 'thing' ? 0.2 : 1.9);
    return candidate(
      'user.name',
      'it names a person by what they are',
      { person: 1.4, about: 1.4, unknown: 0.9, organisation: 1, thing: 0.2 }[role.role],
    );
  }
  if (
    role.role === 'person' &&
    signature.organisation &&
    !signature.negative &&
    !signature.thing &&
    !signature.date &&
    signature.unknown.length === 0 &&
    !signature.id
  )
    return candidate('user.workplace', 'the organisation of a person', 0.3);
  if (role.role === 'person' && TITLE.test(column.name)) return candidate('user.job_title', 'the title of a person', 1.9);
  if (role.role === 'person' && BACKGROUND.test(column.name))
    return candidate('user.content.private', 'what is written about a person', 0.9);
  return undefined;
}

const DESCRIBES = /desc|code|^name$|value|display|result|finding|outcome|severity|instruction|reason/i;
const VALUE = /^(value|number|identifier|no|text|valor|wert|valeur|nummer)$/i;
/** The row above in a tree, as a rule, and no mother or father. */
const PARENT = /parent/i;
const ATTRIBUTE = /^(meta_?|attr(ibute)?_?|field_?|property_?)?(value|data)$/i;
const CONTACT = /contact|kontakt|contacto|recapito/i;
const USER = /^(user|usr|login|benutzer|usuario|utilisateur|utente|gebruiker)$/i;
const TITLE = /(^|_)(title|position|role_?name|titel|cargo|poste|funktion)$/i;
const BACKGROUND = /desc(ription)?$|detail|history|story|background/i;
