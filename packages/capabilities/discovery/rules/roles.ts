import { formatTableName, tableName } from '@safekeep/core';
import type { Table } from '@safekeep/postgres';
import { familyOf } from './families.ts';
import { linksOf, type TableLink } from './links.ts';
import { IDENTITY } from './meanings.ts';
import { signatureOf, type Signature } from './signature.ts';
import type { Speech } from './words.ts';

/**
 * What the rows of a table are:
 * - `person`: people;
 * - `about`: what belongs to people, such as their bookings;
 * - `organisation`, `thing`: neither, as its name says;
 * - `unknown`: nothing tells.
 */
export type Role = 'person' | 'about' | 'organisation' | 'thing' | 'unknown';

export type TableRole = {
  readonly role: Role;
  /** In plain words with the names of the schema, never a value. */
  readonly reason: string;
  /** It holds the name of somebody in an organisation, whose contact the rest of its row then is. */
  readonly namesPerson: boolean;
  /** Parts of an address stand in it, so a `state` or `region` beside them is one too. */
  readonly hasAddress: boolean;
  /** One of them stands there under its plain name: then so does the state, and not that of an order. */
  readonly hasBareAddress: boolean;
  /** One to one with a table of people. */
  readonly isProfile: boolean;
  /** Somebody can be found by it, as against a list of towns. */
  readonly hasStreet: boolean;
  /** As below, and not only since the schema as a whole is about health. */
  readonly speaksOfHealth: boolean;
  /** Illness, treatment and the like are in its name or its other columns. */
  readonly aboutHealth: boolean;
};

export type SchemaRoles = {
  readonly roles: ReadonlyMap<string, TableRole>;
  readonly links: readonly TableLink[];
  readonly hasPersons: boolean;
};

/** Longer chains of references say nothing about a person any more. */
const HOPS_AT_MOST = 4;

export function rolesOf(tables: readonly Table[], speech: Speech): SchemaRoles {
  const links = linksOf(tables, speech);
  const outgoing = Map.groupBy(links, ({ from }) => from);
  const persons = new Set(tables.filter((table) => personScore(table, { speech, outgoing }) >= PERSON_FROM).map(tableName));
  const profiles = new Set<string>();
  // A profile that shares its key with a table of persons is about them, not a second table of them.
  for (const table of tables) {
    const name = tableName(table);
    const named = signatureOf(table.name, speech);
    const isPlainly =
      named.person && !named.thing && !named.organisation && named.leaves.length === 0 && named.unknown.length === 0;
    const theirs = (outgoing.get(name) ?? []).some((link) => link.to !== name && persons.has(link.to) && !link.author);
    // An address book entry of a customer has first and last names too, and is the customer's.
    if (theirs && !isPlainly) persons.delete(name);
    const shared = (outgoing.get(name) ?? []).some(
      (link) =>
        link.to !== name &&
        persons.has(link.to) &&
        isKeyOf(table, link.columns) &&
        !link.author &&
        !ownIdentity(table, speech).has('last-name'),
    );
    if (shared) persons.delete(name);
    if (shared) profiles.add(name);
  }
  const about = aboutTables(tables, { speech, persons, outgoing });
  const isHealth = tables.some(({ name }) => HEALTH_SCHEMA.test(name));
  const roles = new Map(
    tables.map((table) => {
      const name = tableName(table);
      return [
        name,
        roleOf(table, { speech, isPerson: persons.has(name), isProfile: profiles.has(name), about: about.get(name), isHealth }),
      ] as const;
    }),
  );
  return { roles, links, hasPersons: persons.size > 0 };
}

function roleOf(
  table: Table,
  {
    speech,
    isPerson,
    isProfile,
    about,
    isHealth,
  }: {
    readonly speech: Speech;
    readonly isPerson: boolean;
    readonly isProfile: boolean;
    readonly about: string | undefined;
    readonly isHealth: boolean;
  },
): TableRole {
  const named = signatureOf(table.name, speech);
  const columns = table.columns.map(({ name }) => signatureOf(name, speech));
  const leaves = columns.flatMap(({ leaves: some }) => some);
  const address = ['street', 'postcode', 'city', 'address', 'country'].filter((part) => leaves.includes(part)).length;
  const speaks =
    [named, ...columns].some(({ leaves: some }) => some.some((leaf) => HEALTH.has(leaf))) || HEALTH_TABLE.test(table.name);
  const facts = {
    namesPerson: table.columns.some((column, place) => familyOf(column) === 'text' && namesSomebody(columns[place])),
    hasStreet: leaves.includes('street') || leaves.includes('address'),
    hasAddress: address >= 2,
    hasBareAddress: columns.some(
      ({ terms, leaves: some }) =>
        terms.length === 1 &&
        some.some((leaf) => leaf === 'street' || leaf === 'address' || leaf === 'city' || leaf === 'postcode'),
    ),
    isProfile: false,
    speaksOfHealth: speaks,
    aboutHealth: ((isPerson || about !== undefined) && isHealth) || speaks,
  };
  if (!isPerson && table.view !== null && about !== undefined && named.person)
    return { role: 'person', reason: `it shows people: ${about}`, ...facts };
  if (isProfile)
    return {
      role: 'person',
      reason: 'its rows are people, told by the key they share with another table of people',
      ...facts,
      isProfile,
    };
  if (isPerson) return { role: 'person', reason: 'its rows are people, by its name and columns', ...facts };
  if (about !== undefined) return { role: 'about', reason: about, ...facts };
  if (named.organisation || named.either)
    return { role: 'organisation', reason: 'its rows are organisations, by its name', ...facts };
  const names = columns.flatMap(({ leaves: some, organisation, thing }) => (organisation || thing ? [] : some));
  if (facts.namesPerson || (names.includes('first-name') && names.includes('last-name'))) {
    if (!named.thing && !named.organisation && !named.either) return { role: 'about', reason: 'it names people', ...facts };
  }
  if (named.leaves.some((leaf) => HEALTH.has(leaf)))
    return { role: 'thing', reason: 'a list of what there is, by its name; nobody refers to it as theirs', ...facts };
  if (named.thing) return { role: 'thing', reason: 'its rows are things, by its name', ...facts };
  return { role: 'unknown', reason: 'nothing says whose its rows are', ...facts };
}

const HEALTH = new Set([
  'diagnosis',
  'symptom',
  'allergy',
  'medication',
  'treatment',
  'laboratory',
  'immunisation',
  'clinical-note',
  'condition',
  'record-no',
  'insurance-no',
]);
const HEALTH_TABLE = /encounter|admission|appointment|visit|clinical|medical|observation|prescri|hospital/i;
/** A schema with such a table keeps people's health, so an everyday word in it may mean that. */
const HEALTH_SCHEMA = /patient|pazient|pacient|hasta(lar)?$|potila|pasient|clinic|klinik|hospital|medical_record|encounter/i;

/** `contact_name`, `ContactName`, `doctor`: a text that names a person. */
function namesSomebody(signature: Signature | undefined): boolean {
  if (signature === undefined || signature.id || signature.negative) return false;
  const last = signature.leaves.at(-1);
  return last === 'contact-name' || (last === 'name' && signature.person && !signature.thing && !signature.organisation);
}

const PERSON_FROM = 2.1;

function personScore(
  table: Table,
  { speech, outgoing }: { readonly speech: Speech; readonly outgoing: ReadonlyMap<string, readonly TableLink[]> },
): number {
  const named = signatureOf(table.name, speech);
  const identity = ownIdentity(table, speech);
  const isNameOnly = identity.size === 0 || (identity.size === 1 && identity.has('name'));
  const others = named.thing || named.organisation || named.either || named.leaves.length > 0 || named.negative;
  const isOrganisation = named.organisation || named.either;
  const names =
    named.person && !named.either
      ? others
        ? -1
        : named.unknown.length > 0
          ? 1
          : 2.5
      : named.thing
        ? -1.5
        : isOrganisation
          ? -1
          : 0;
  const references = (outgoing.get(tableName(table)) ?? []).filter(({ author, to }) => !author && to !== tableName(table));
  // members(group_id, user_id): pairs, not people.
  const pairs = isNameOnly && references.length >= 2 ? -3 : 0;
  const bare = named.person && isNameOnly && !identity.has('name') && references.length >= 1 ? -1.5 : 0;
  const has = (part: string): number => (identity.has(part) ? 1 : 0);
  return (
    names +
    pairs +
    bare +
    (has('first-name') + has('last-name') === 2 ? 2.3 : 0.7 * (has('first-name') + has('last-name'))) +
    1.2 * has('full-name') +
    1.5 * has('birth-date') +
    has('gender') +
    has('ssn') +
    0.7 * has('marital') +
    0.7 * has('job') +
    // What has a secret and an address is a program: a client of an interface.
    (table.columns.some(({ name: column }) => /secret|redirect|base_?url|grant_type/i.test(column)) && isNameOnly ? -2 : 0) +
    (ownNumber(table, speech) ? 1.2 : 0) +
    0.5 * has('name') +
    0.5 * has('email') +
    0.3 * has('phone') +
    (has('password') + has('username') === 2 ? 1.8 : 0.8 * (has('password') + has('username')))
  );
}

/** Its key is the number that people have: of staff, of students, of members. */
function ownNumber(table: Table, speech: Speech): boolean {
  const [only, more] = table.primaryKey?.columns ?? [];
  if (only === undefined || more !== undefined) return false;
  return signatureOf(only, speech).leaves.some((leaf) => leaf === 'employee-no' || leaf === 'student-no' || leaf === 'member-no');
}

const QUALIFIED =
  /bill|ship|deliver|emergency|contact|recipient|payer|guardian|parent|kin|spouse|mother|father|holder|sender|doctor|physician/i;

/** What a table says of the people that its rows are, leaving out other people's names (`billing_first_name`). */
function ownIdentity(table: Table, speech: Speech): ReadonlySet<string> {
  const found = new Set<string>();
  for (const column of table.columns) {
    const signature = signatureOf(column.name, speech);
    const leaf = signature.leaves.at(-1);
    if (leaf === undefined || signature.negative || familyOf(column) === 'boolean' || QUALIFIED.test(column.name)) continue;
    if (signature.person && leaf !== 'name' && !ofItself(table, signature, speech)) continue;
    if (signature.thing || signature.organisation || signature.id) continue;
    if (IDENTITY.has(leaf) || ['name', 'email', 'phone', 'password', 'username', 'job'].includes(leaf)) found.add(leaf);
  }
  return found;
}

/** `customer_last_name` in customers, `emp_name` in employees. */
function ofItself(table: Table, signature: Signature, speech: Speech): boolean {
  return signature.person && signatureOf(table.name, speech).person;
}

function isKeyOf(table: Table, columns: readonly string[]): boolean {
  const keys = [...(table.primaryKey === null ? [] : [table.primaryKey]), ...table.uniques];
  return keys.some((key) => key.columns.length === columns.length && key.columns.every((column) => columns.includes(column)));
}

type Known = {
  readonly speech: Speech;
  readonly persons: ReadonlySet<string>;
  readonly outgoing: ReadonlyMap<string, readonly TableLink[]>;
};

/** Why each table is about people: by a reference to them or to what is theirs, or since they refer to it (their address). */
function aboutTables(tables: readonly Table[], { speech, persons, outgoing }: Known): ReadonlyMap<string, string> {
  const about = new Map<string, string>();
  const open = tables.filter((table) => !persons.has(tableName(table)));
  for (let hop = 0; hop < HOPS_AT_MOST; hop += 1) {
    const before = about.size;
    for (const table of open) {
      const name = tableName(table);
      const named = signatureOf(table.name, speech);
      if (about.has(name) || named.organisation || named.either) continue;
      const reached = (outgoing.get(name) ?? []).filter(
        ({ to, author }) => !author && to !== name && (persons.has(to) || about.has(to)),
      );
      const theirs = reached.filter(({ staff }) => !staff);
      const isThing = named.thing && !named.person;
      const through =
        theirs.find(({ to }) => persons.has(to)) ?? (isThing ? undefined : theirs[0]) ?? (isThing ? undefined : reached[0]);
      if (through !== undefined)
        about.set(
          name,
          `${through.columns.join(', ')} refers to ${through.to}, which is ${persons.has(through.to) ? 'of people' : 'about people'}`,
        );
    }
    if (about.size === before) break;
  }
  for (const table of open) {
    const name = tableName(table);
    const named = signatureOf(table.name, speech);
    if (about.has(name)) continue;
    const read = (table.view?.reads ?? [])
      .map((ref) => formatTableName(ref))
      .find((source) => persons.has(source) || about.has(source));
    if (read !== undefined) about.set(name, `it reads from ${read}, which is ${persons.has(read) ? 'of people' : 'about people'}`);
    if (about.has(name) || named.thing || named.organisation || named.either) continue;
    const from = [...outgoing.values()].flat().find((link) => link.to === name && (persons.has(link.from) || about.has(link.from)));
    const isTheirs = named.leaves.some((leaf) => OWNED.has(leaf)) && hasAddressOrName(table, speech);
    if (from !== undefined && isTheirs)
      about.set(name, `${from.from}, which is ${persons.has(from.from) ? 'of people' : 'about people'}, refers to it`);
    else if (from === undefined && viaPersonId(table, speech)) about.set(name, 'it holds the number of a person');
  }
  return about;
}

const OWNED = new Set(['address', 'street', 'phone', 'email', 'iban', 'card-number', 'name', 'passport', 'ssn', 'note', 'photo']);

function hasAddressOrName(table: Table, speech: Speech): boolean {
  const leaves = new Set(table.columns.flatMap(({ name }) => signatureOf(name, speech).leaves));
  return ['address', 'street', 'postcode', 'phone', 'email', 'iban', 'card-number', 'last-name', 'passport'].some((leaf) =>
    leaves.has(leaf),
  );
}

/** `user_id` where there is no table of users: somebody else keeps them. */
function viaPersonId(table: Table, speech: Speech): boolean {
  if (signatureOf(table.name, speech).thing) return false;
  return table.columns.some(({ name }) => {
    if (table.primaryKey?.columns.length === 1 && table.primaryKey.columns[0] === name) return false;
    const { person, id, author, number, leaves } = signatureOf(name, speech);
    return (
      ((person && (id || number)) ||
        leaves.some((leaf) => leaf === 'employee-no' || leaf === 'student-no' || leaf === 'member-no')) &&
      !author
    );
  });
}
