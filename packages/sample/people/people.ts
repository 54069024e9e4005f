import { ageOn, dayOf, OPENED, TODAY_DAY, type Day } from '../calendar.ts';
import { Random } from '../random.ts';
import type { Plan } from '../sizes.ts';
import { allergies, conditions } from '../words/dentistry.ts';
import { cultures, plain, type Culture, type Name } from '../words/names.ts';
import { farAway, nearby, streets, type Place } from '../words/places.ts';
import { emailAddress, phoneNumber } from './contact.ts';

export type Patient = {
  readonly id: number;
  readonly first: string;
  readonly last: string;
  /** The name in the script of home, where that is not the Latin one. */
  readonly native: string | null;
  readonly female: boolean;
  readonly born: Day;
  readonly language: string;
  /** '' where there is none: the application never wrote NULL here. */
  readonly phone: string;
  readonly mobile: string;
  readonly email: string;
  readonly login: string;
  readonly street: string;
  readonly place: Place;
  /** '' for the healthy. */
  readonly condition: string;
  readonly allergy: string;
  readonly household: Household;
  /** The adult who answers for this patient. */
  readonly guardianId: number | null;
  readonly insured: boolean;
  readonly registered: Day;
  /** The day after which this person never comes again. */
  readonly leaves: Day;
};

/** Who lives together: the patients `headId` to `headId + size - 1`; the first `adults` of them are grown up. */
type Household = { readonly headId: number; readonly size: number; readonly adults: number };

export type Staff = {
  readonly id: number;
  readonly first: string;
  readonly last: string;
  readonly role: 'dentist' | 'hygienist' | 'assistant' | 'receptionist' | 'manager';
  readonly login: string;
  readonly hired: Day;
  /** Null for those who still work here. */
  readonly left: Day | null;
};

export type People = {
  /** From 1 to the plan's number of patients. Always the same person for the same seed, size and id. */
  readonly patient: (id: number) => Patient;
  /** Dentists come first, from 1; then hygienists, assistants, receptionists; the last is the manager. */
  readonly staff: (id: number) => Staff;
  readonly staffCount: number;
  /** How many patients have registered by a day. */
  readonly registered: (day: Day) => number;
  /** The day after which a patient never comes again; cheaper than the whole person. */
  readonly leaves: (id: number) => Day;
};

/** Everyone, computed when asked for: nothing is kept, so memory does not grow with the practice. */
export function people(seed: number, plan: Plan): People {
  return {
    patient: (id) => patient(seed, plan, id),
    staff: (id) => staff(seed, plan, id),
    staffCount: plan.dentists * 3 + 1,
    registered: (day) => registeredBy(plan, day),
    leaves: (id) => leavingDay(seed, plan, id),
  };
}

/** Every twelve patients in a row fall into households in one of these ways. */
const BLOCK = 12;
const HOUSEHOLDS_OF_A_BLOCK: readonly (readonly number[])[] = [
  [4, 2, 1, 1, 3, 1],
  [1, 1, 2, 4, 1, 1, 2],
  [5, 2, 2, 1, 1, 1],
  [1, 1, 1, 1, 2, 2, 1, 3],
  [3, 4, 2, 2, 1],
];

function household(seed: number, id: number): Household {
  const block = Math.floor((id - 1) / BLOCK);
  const sizes = new Random(seed, 'block', block).pick(HOUSEHOLDS_OF_A_BLOCK);
  let headId = block * BLOCK + 1;
  for (const size of sizes) {
    if (id < headId + size) return { headId, size, adults: adultsOf(seed, headId, size) };
    headId += size;
  }
  throw new Error(`Patient ${id} lives nowhere: a block does not add up to ${BLOCK}`);
}

function adultsOf(seed: number, headId: number, size: number): number {
  if (size === 1) return 1;
  const couples = size === 2 ? 60 : 80;
  return new Random(seed, 'household', -headId).chance(couples) ? 2 : 1;
}

/** Patients register at a falling rate: the practice had most of its people early. Only exact arithmetic. */
function registrationDay(plan: Plan, id: number): Day {
  const share = (id - 1) / plan.patients;
  return OPENED + Math.floor((0.4 * share + 0.6 * share * share) * (TODAY_DAY - OPENED));
}

/** The inverse of {@link registrationDay}, by halving. */
function registeredBy(plan: Plan, day: Day): number {
  let low = 0;
  let high = plan.patients;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (registrationDay(plan, middle) <= day) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Some patients stay for good, others move away or stop coming. */
function leavingDay(seed: number, plan: Plan, id: number): Day {
  const random = new Random(seed, 'patient', -id);
  return random.chance(55) ? TODAY_DAY + 3650 : registrationDay(plan, id) + random.between(200, 2200);
}

function patient(seed: number, plan: Plan, id: number): Patient {
  const home = household(seed, id);
  const shared = new Random(seed, 'household', home.headId);
  const own = new Random(seed, 'patient', id);
  const culture = weighted(shared);
  const familyName = shared.pick(culture.family);
  const place = shared.chance(84) ? shared.pick(nearby) : shared.pick(farAway);
  const street = streetAddress(shared);
  const landline = shared.chance(60) ? phoneNumber(shared, place.country) : '';
  const headAge = shared.between(24, 78);

  const female = own.chance(51);
  const given = own.pick(female ? culture.female : culture.male);
  const family = ownFamilyName(own, culture, familyName, id !== home.headId && id < home.headId + home.adults);
  const registered = registrationDay(plan, id);
  const adult = id < home.headId + home.adults;
  const born = birthday(own, registrationDay(plan, home.headId), id === home.headId ? headAge : ageBeside(own, headAge, adult));
  const grown = ageOn(born, TODAY_DAY) >= 16;
  const [first, last] = asTyped(own, given.latin, family.latin);
  return {
    id,
    first,
    last,
    native: nativeName(culture, given, family),
    female,
    born,
    language: own.chance(70) ? 'en' : culture.language,
    phone: landline,
    mobile: grown && own.chance(85) ? phoneNumber(own, place.country) : '',
    email: grown && own.chance(78) ? emailAddress(own, given.latin, family.latin, id) : '',
    login: `${plain(given.latin).slice(0, 1)}${plain(family.latin).slice(0, 10)}${id}`,
    street,
    place,
    condition: own.chance(34) ? own.pick(conditions) : '',
    allergy: own.chance(18) ? own.pick(allergies) : '',
    household: home,
    guardianId: adult ? null : home.headId,
    insured: own.chance(72),
    registered,
    leaves: leavingDay(seed, plan, id),
  };
}

const CULTURE_WEIGHTS = cultures.reduce((sum, culture) => sum + culture.weight, 0);

function weighted(random: Random): Culture {
  let place = random.below(CULTURE_WEIGHTS);
  for (const culture of cultures) {
    if (place < culture.weight) return culture;
    place -= culture.weight;
  }
  throw new Error('The weights of the cultures do not add up');
}

function streetAddress(random: Random): string {
  const street = `${random.between(1, 9899)} ${random.pick(streets)}`;
  return random.chance(25) ? `${street}, Apt ${random.between(1, 40)}${random.pick(['', 'A', 'B'])}` : street;
}

function birthday(random: Random, registered: Day, age: number): Day {
  return registered - age * 365 - Math.floor(age / 4) - random.below(365);
}

/** A partner is of like age; a child is at least 19 years younger than the head. */
function ageBeside(random: Random, headAge: number, adult: boolean): number {
  if (adult) return Math.max(20, headAge + random.between(-7, 7));
  return Math.max(0, Math.min(headAge - random.between(19, 32), 17));
}

/** Partners often keep their name or join both, which is longer than the column once allowed. */
function ownFamilyName(random: Random, culture: Culture, family: Name, partner: boolean): Name {
  if (!partner || random.chance(50)) return family;
  const born = random.pick(culture.family);
  return random.chance(60) || born.native !== undefined ? born : { latin: `${born.latin}-${family.latin}` };
}

function nativeName(culture: Culture, given: Name, family: Name): string | null {
  if (given.native === undefined || family.native === undefined) return null;
  return culture.familyFirst === true ? `${family.native}${given.native}` : `${given.native} ${family.native}`;
}

/** Twelve years of front desks: all capitals, all small letters. */
function asTyped(random: Random, first: string, last: string): readonly [first: string, last: string] {
  const style = random.below(100);
  if (style < 3) return [first.toUpperCase(), last.toUpperCase()];
  if (style < 5) return [first.toLowerCase(), last.toLowerCase()];
  return [first, last];
}

function staff(seed: number, plan: Plan, id: number): Staff {
  const random = new Random(seed, 'staff', id);
  const culture = weighted(random);
  const first = random.pick(random.chance(60) ? culture.female : culture.male).latin;
  const last = random.pick(culture.family).latin;
  const role = roleOf(plan, id);
  // The founders are of every trade; whoever works on a day is looked for among those hired by then.
  const hired = id % plan.dentists <= 1 ? OPENED : random.between(OPENED, dayOf('2023-01-01'));
  const stays = role === 'dentist' || role === 'manager' || random.chance(75);
  return {
    id,
    first,
    last,
    role,
    login: `${plain(first).slice(0, 1)}${plain(last).slice(0, 7)}${id}`,
    hired,
    left: stays ? null : random.between(Math.max(hired + 200, dayOf('2022-01-01')), TODAY_DAY),
  };
}

function roleOf(plan: Plan, id: number): Staff['role'] {
  if (id === plan.dentists * 3 + 1) return 'manager';
  if (id <= plan.dentists) return 'dentist';
  if (id <= plan.dentists + Math.ceil(plan.dentists / 2)) return 'hygienist';
  if (id <= plan.dentists * 2) return 'assistant';
  return 'receptionist';
}
