// Labelled sentences out of templates and names. No sentence of anybody's data set stands here.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hashOf } from '../tagger/tokens.ts';
import { isKeptBack, type Words } from './lists.ts';

export type Span = { readonly label: 'PER' | 'LOC' | 'ORG' | 'ADR'; readonly start: number; readonly end: number };
export type Sentence = { readonly text: string; readonly spans: readonly Span[] };
/** `train` and `held` share neither names nor templates; `held-known` has held templates with names of `train`; `all` is everything. */
export type Part = 'train' | 'held' | 'held-known' | 'all';

/** Mulberry32: the same numbers at every run and on every machine. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

type Piece = string | { readonly label: Span['label']; readonly text: string };
type Maker = () => readonly Piece[] | string;

const TITLES = ['Mr.', 'Mrs.', 'Ms.', 'Dr.', 'Miss', 'Mr', 'Mrs', 'Prof.', 'mr.', 'ms.', 'mrs.', 'dr.'];
const JOBS = [
  'manager',
  'director',
  'chairman',
  'nurse',
  'engineer',
  'CEO',
  'head of sales',
  'secretary',
  'professor of physics',
  'lawyer',
  'teacher',
  'Marketing Director',
  'Vice President',
  'editor',
  'painter',
  'baker',
];
const DAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const NATIONALITIES = [
  'French',
  'German',
  'British',
  'Dutch',
  'Sudanese',
  'American',
  'Polish',
  'Chinese',
  'Kenyan',
  'Brazilian',
  'Greek',
  'Indian',
  'Turkish',
  'Swedish',
  'Mexican',
  'Czech',
  'Danish',
  'Vietnamese',
  'Irish',
  'Spanish',
];
const LEGAL = [
  'Inc',
  'Inc.',
  'LLC',
  'Ltd',
  'Ltd.',
  'GmbH',
  'AG',
  'Corp',
  'Corp.',
  'PLC',
  'S.A.',
  'B.V.',
  'Oy',
  'AB',
  'A/S',
  'Pty Ltd',
  'and Sons',
  'Group',
  '& Co.',
  'Holdings',
];
const TRADES = [
  'Consulting',
  'Software',
  'Solutions',
  'Systems',
  'Bank',
  'Insurance',
  'Partners',
  'Technologies',
  'Foods',
  'Motors',
  'Airlines',
  'Pharma',
  'Energy',
  'Media',
  'Capital',
  'Labs',
  'Hospital',
  'University',
  'Records',
  'Publishing',
  'Logistics',
  'Research',
  'Analytics',
  'Networks',
  'Financial',
  'Health',
  'Studios',
  'Foundation',
  'Association',
  'Institute',
  'Club',
  'Times',
  'Post',
  'Watchers',
  'Living',
  'Services',
  'Stores',
  'Railways',
];
const BLENDS = [
  'data',
  'geo',
  'wave',
  'sky',
  'net',
  'soft',
  'bright',
  'cloud',
  'meta',
  'scope',
  'vibe',
  'area',
  'agri',
  'bio',
  'tech',
  'lytics',
  'ware',
  'ify',
  'ology',
  'nova',
  'terra',
  'quant',
  'link',
  'hub',
  'tron',
  'mind',
  'lar',
  'equi',
  'opti',
  'med',
  'cast',
  'stream',
  'grid',
  'path',
];
const STREET_ENDS = [
  'Street',
  'St',
  'St.',
  'Road',
  'Rd',
  'Avenue',
  'Ave',
  'Lane',
  'Drive',
  'Dr',
  'Court',
  'Ct',
  'Place',
  'Way',
  'Boulevard',
  'Blvd',
  'Terrace',
  'Close',
  'Crescent',
  'Square',
  'Parade',
  'Highway',
  'Grove',
  'Row',
  'Hill',
  'Gardens',
  'Parkway',
];
const STREET_JOINED = [
  'straße',
  'strasse',
  'gasse',
  'weg',
  'platz',
  'allee',
  'ring',
  'straat',
  'laan',
  'plein',
  'gatan',
  'vägen',
  'gata',
  'vej',
  'gade',
  'veien',
  'katu',
  'tie',
  'kade',
  'gracht',
  'steig',
  'gürtel',
  'stien',
  'bakken',
];
const STREET_BEFORE = [
  'Rue',
  'rue de la',
  'rue',
  'Avenue',
  'avenue de',
  'Via',
  'Viale',
  'Piazza',
  'Corso',
  'Calle',
  'C/',
  'Avenida',
  'Av.',
  'Plaza',
  'Paseo',
  'Rua',
  'Travessa',
  'Praça',
  'ul.',
  'Ulica',
  'Aleja',
  'Ulice',
  'nám.',
  'Carrer',
  'Rúa',
  'Chemin',
  'Quai',
  'Place',
  'Jl.',
  'Strada',
  'улица',
  'ул.',
  'Οδός',
  'Trg',
  'Cesta',
  'Bd',
  'Boulevard',
  'Camino',
  'Rambla',
];
const STREET_AFTER = [
  'utca',
  'u.',
  'út',
  'tér',
  'útja',
  'sokak',
  'Caddesi',
  'tänav',
  'gatvė',
  'iela',
  'ulica',
  'rkp.',
  'Marg',
  'Nagar',
  'köz',
  'mäe',
  'tee',
  'cesta',
  'ulice',
];
const UNITS = ['Apt. ', 'Suite ', 'Unit ', 'Flat ', 'Apartment ', 'apt ', '# ', 'Room ', 'Floor ', 'Etage '];

export class Sentences {
  readonly #random: () => number;
  readonly #words: Words;
  readonly #templates: readonly string[];
  readonly #given: readonly string[];
  readonly #family: readonly string[];
  readonly #cities: readonly string[];
  readonly #places: readonly string[];
  readonly #makers: Readonly<Record<string, Maker>>;

  constructor(words: Words, templates: readonly string[], part: Part, seed: number) {
    const mine = (name: string): boolean => part === 'all' || isKeptBack(name) === (part === 'held');
    this.#random = seeded(seed);
    this.#words = words;
    this.#templates = templates.filter((template) => part === 'all' || isHeldTemplate(template) === part.startsWith('held'));
    this.#given = mostlyLatin(words.given.filter(mine));
    this.#family = mostlyLatin(words.family.filter(mine));
    this.#cities = mostlyLatin(words.cities.filter(mine));
    // There are two hundred countries: they are public and all known, so none is kept back.
    this.#places = [...words.countries];
    this.#makers = this.#allMakers();
  }

  next(): Sentence {
    const template = this.#pick(this.#templates);
    let text = '';
    const spans: Span[] = [];
    const add = (piece: Piece): void => {
      const start = text.length;
      text += typeof piece === 'string' ? piece : piece.text;
      if (typeof piece !== 'string' && piece.text.length > 0) spans.push({ label: piece.label, start, end: text.length });
    };
    for (const part of template.replaceAll(String.raw`\n`, '\n').split(/(\{[A-Za-z]+\})/)) {
      const maker = /^\{[A-Za-z]+\}$/.test(part) ? this.#makers[part.slice(1, -1)] : undefined;
      const made = maker === undefined ? part : maker();
      for (const piece of typeof made === 'string' ? [made] : made) add(piece);
    }
    const chance = this.#random();
    // Small letters keep their number in nearly every script; where they do not, the places would be wrong.
    const lower = text.toLowerCase();
    if (chance < 0.04 && lower.length === text.length) text = lower;
    return { text, spans };
  }

  #pick<Item>(items: readonly Item[]): Item {
    const item = items[Math.floor(this.#random() * items.length)];
    if (item === undefined) throw new Error('an empty list of words');
    return item;
  }

  #some(share: number): boolean {
    return this.#random() < share;
  }

  #number(low: number, high: number): string {
    return String(low + Math.floor(this.#random() * (high - low + 1)));
  }

  #plain(): string {
    return this.#pick(this.#words.plain);
  }

  #Word(): string {
    const word = this.#pick(this.#some(0.5) ? this.#words.plain : this.#words.english);
    return word.slice(0, 1).toUpperCase() + word.slice(1);
  }

  #full(): string {
    const [first, last] = [this.#pick(this.#given), this.#pick(this.#family)];
    const form = this.#random();
    if (form < 0.72) return `${first} ${last}`;
    if (form < 0.8) return `${first} ${this.#pick('ABCDEFGHJKLMNPRST'.split(''))}. ${last}`;
    if (form < 0.85) return `${first.slice(0, 1)}. ${last}`;
    if (form < 0.9) return `${first} ${last}-${this.#pick(this.#family)}`;
    if (form < 0.94) return `${first} ${this.#pick(this.#given)} ${last}`;
    if (form < 0.97) return `${first} ${this.#pick(['de', 'van', 'von', 'van der', 'el', 'al', 'da', 'bin', 'Mac', 'Le'])} ${last}`;
    return `${first} ${last} ${this.#pick(this.#family)}`;
  }

  #person(): string {
    const form = this.#random();
    if (form < 0.5) return this.#full();
    return form < 0.8 ? this.#pick(this.#given) : this.#pick(this.#family);
  }

  #city(): string {
    const city = this.#pick(this.#cities);
    const form = this.#random();
    if (form < 0.06) return city.toUpperCase();
    if (form < 0.09) return `${city} ${this.#number(1, 20)}`;
    return city;
  }

  #org(): string {
    const [one, two] = [this.#pick(this.#family), this.#pick(this.#family)];
    const makers: readonly (() => string)[] = [
      () => `${one} ${this.#pick(LEGAL)}`,
      () => `${one}-${two}`,
      () => `${one}, ${two} and ${this.#pick(this.#family)}`,
      () => `${one} ${this.#pick(['and', '&'])} ${two}`,
      () => `${one} ${this.#pick(TRADES)}`,
      () => `${this.#Word()} ${this.#pick(TRADES)}`,
      () => `${this.#Word()} ${this.#pick(TRADES)} ${this.#pick(LEGAL)}`,
      () => `${this.#Word()} ${this.#Word()} ${this.#pick(LEGAL)}`,
      () => `${this.#Word()} ${this.#Word()} ${this.#pick(TRADES)}`,
      () => this.#blend(),
      () => `${this.#blend()} ${this.#pick(LEGAL)}`,
      () => this.#pick(['ABC', 'KBH', 'TMN', 'BLX', 'RQW', 'DHF', 'UPN', 'ZTE', 'CVR', 'NTB']),
      () =>
        `${this.#pick(['Bank of', 'University of', 'City of', 'Friends of', 'Museum of', 'Royal Bank of'])} ${this.#pick(this.#cities)}`,
      () =>
        `${this.#pick(this.#cities)} ${this.#pick(['United', 'FC', 'University', 'Hospital', 'Times', 'City Council', 'Airport', 'Bank', 'Country Club'])}`,
    ];
    return this.#pick(makers)();
  }

  #blend(): string {
    const name = this.#pick(BLENDS) + this.#pick(BLENDS);
    return this.#some(0.2)
      ? name.slice(0, 1).toUpperCase() + name.slice(1, 4) + name.slice(4, 5).toUpperCase() + name.slice(5)
      : name.slice(0, 1).toUpperCase() + name.slice(1);
  }

  #street(): string {
    const name = this.#some(0.5) ? this.#pick(this.#family) : this.#some(0.6) ? this.#pick(this.#cities) : this.#Word();
    const form = this.#random();
    if (form < 0.36)
      return `${this.#some(0.1) ? this.#pick(['North ', 'S. ', 'E ', 'West ', 'N ']) : ''}${name} ${this.#pick(STREET_ENDS)}`;
    if (form < 0.6) return `${name.split(' ')[0] ?? name}${this.#pick(STREET_JOINED)}`;
    if (form < 0.82) return `${this.#pick(STREET_BEFORE)} ${name}`;
    if (form < 0.93) return `${name} ${this.#pick(STREET_AFTER)}`;
    return name;
  }

  #address(): string {
    const number = this.#number(1, 999) + (this.#some(0.08) ? this.#pick(['a', 'b', 'A', 'B', '/2', '-5']) : '');
    const street = this.#street();
    const padded = this.#some(0.25) ? `${this.#number(0, 9)}${this.#number(1, 9)} ` : '';
    const unit = this.#some(0.25) ? `${this.#pick([' ', ', ', '\n', '\n '])}${this.#pick(UNITS)}${this.#number(1, 999)}` : '';
    const box = this.#random();
    if (box < 0.03) return `P.O. Box ${number}`;
    if (box < 0.06) return `PSC ${number}, Box ${this.#number(1, 9999)}`;
    return padded + (this.#some(0.5) ? `${number} ${street}` : `${street} ${number}`) + unit;
  }

  #zip(): string {
    const form = this.#random();
    if (form < 0.6) return this.#number(10_000, 99_999);
    if (form < 0.75) return this.#number(1_000, 9_999);
    if (form < 0.85)
      return `${this.#pick(['SW', 'M', 'LS', 'EH', 'B'])}${this.#number(1, 30)} ${this.#number(1, 9)}${this.#pick(['AB', 'TT', 'QX', 'LE'])}`;
    if (form < 0.93) return `${this.#number(1_000, 9_999)} ${this.#pick(['AB', 'XK', 'LE'])}`;
    return `${this.#number(10_000, 99_999)}-${this.#number(1_000, 9_999)}`;
  }

  #date(): string {
    const [day, month, year] = [this.#number(1, 28), this.#pick(MONTHS), this.#number(1950, 2025)];
    return this.#pick([
      `${day} ${month} ${year}`,
      `${month} ${day}, ${year}`,
      `${year}-0${this.#number(1, 9)}-${day}`,
      `${this.#number(1, 12)}/${day}/${year}`,
      year,
      `${day}.${this.#number(1, 12)}.${year}`,
    ]);
  }

  #phone(): string {
    return this.#pick([
      `+${this.#number(1, 99)} ${this.#number(100, 999)} ${this.#number(1000, 9999)}`,
      `(${this.#number(100, 999)}) ${this.#number(100, 999)}-${this.#number(1000, 9999)}`,
      `0${this.#number(10, 99)} ${this.#number(100, 999)} ${this.#number(10, 99)} ${this.#number(10, 99)}`,
    ]);
  }

  #work(): string {
    const words = Array.from({ length: 1 + Math.floor(this.#random() * 4) }, () => this.#Word());
    return (this.#some(0.4) ? 'The ' : '') + words.join(this.#some(0.2) ? ' of the ' : ' ');
  }

  #allMakers(): Readonly<Record<string, Maker>> {
    const as =
      (label: Span['label'], make: () => string): Maker =>
      () => [{ label, text: make() }];
    const place = (): string =>
      this.#some(0.3) ? this.#pick(this.#places) : this.#some(0.08) ? this.#pick(this.#words.regions) : this.#city();
    return {
      per: as('PER', () => this.#person()),
      first: as('PER', () => this.#pick(this.#given)),
      last: as('PER', () => this.#pick(this.#family)),
      full: as('PER', () => this.#full()),
      low: as('PER', () => this.#person().toLowerCase()),
      UPPER: as('PER', () => this.#full().toUpperCase()),
      loc: as('LOC', place),
      city: as('LOC', () => this.#city()),
      CITY: as('LOC', () => this.#pick(this.#cities).toUpperCase()),
      lowcity: as('LOC', () => this.#pick(this.#cities).toLowerCase()),
      country: as('LOC', () => this.#pick(this.#places)),
      state: as('LOC', () => this.#pick(this.#words.regions)),
      org: as('ORG', () => this.#org()),
      adr: as('ADR', () => this.#address()),
      street: as('ADR', () => this.#street()),
      zip: as('ADR', () => this.#zip()),
      title: () => this.#pick(TITLES),
      job: () => this.#pick(JOBS),
      nat: () => this.#pick(NATIONALITIES),
      Day: () => this.#pick(DAYS),
      Month: () => this.#pick(MONTHS),
      Word: () => this.#Word(),
      word: () => this.#plain(),
      eng: () => this.#pick(this.#words.english),
      WORD: () => this.#pick(this.#some(0.5) ? this.#words.plain : this.#words.english).toUpperCase(),
      Work: () => this.#work(),
      date: () => this.#date(),
      num: () => this.#number(1, 2_100),
      card: () => `4${this.#number(100_000_000_000_000, 999_999_999_999_999)}`,
      phone: () => this.#phone(),
      email: () => `${this.#pick(['info', 'anna.m', 'contact', 'x.y'])}@example.org`,
    };
  }
}

export async function readTemplates(): Promise<readonly string[]> {
  const text = await readFile(join(import.meta.dirname, 'templates.txt'), 'utf8');
  return text.split('\n').filter((line) => line.length > 0 && line !== '@@@');
}

/** The sentences are in Latin letters: of names in other letters one in ten stays. */
function mostlyLatin(names: readonly string[]): readonly string[] {
  return names.filter((name, at) => /^[\p{Script=Latin}\P{L}]+$/u.test(name) || at % 10 === 0);
}

/** One template in seven is kept back. */
function isHeldTemplate(template: string): boolean {
  return hashOf(template) % 7 === 2;
}
