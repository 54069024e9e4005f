import { BOOKED_UNTIL, MINUTES_OF_DAY, OPENED, TODAY_DAY, workingDays, type Day } from './calendar.ts';
import { Random } from './random.ts';
import { register } from './rows/arrival.ts';
import { book, type Slot } from './rows/bookings.ts';
import { recall, write } from './rows/correspondence.ts';
import type { Practice } from './rows/practice.ts';
import { signIn, speak } from './rows/traces.ts';

/**
 * Lives through the practice day by day: people register, come, pay and write, so that the rows of one person lie
 * scattered over the tables as they do in life. Yields after each day, for the caller to breathe.
 */
export function* liveThrough(practice: Practice): Generator<Day> {
  const days = workingDays(OPENED, BOOKED_UNTIL);
  let registered = 0;
  let welcomed = 0;
  for (const [index, day] of days.entries()) {
    const arrived = practice.people.registered(day);
    for (let id = registered + 1; id <= arrived; id += 1) register(practice, practice.people.patient(id));
    registered = arrived;
    const random = new Random(practice.seed, 'day', day);
    const bookings = bookedBy(practice, (index + 1) / days.length) - bookedBy(practice, index / days.length);
    for (const slot of daySheet(practice, random, day, bookings)) {
      // Whoever is new has a first visit; after them the others come back.
      const id = welcomed < registered ? welcomed + 1 : comingBack(practice, random, day, registered);
      welcomed = Math.max(welcomed, id);
      attend(practice, random, id, slot);
    }
    if (day <= TODAY_DAY) for (let login = 0; login <= bookings / 4; login += 1) signIn(practice, day, login);
    yield day;
  }
}

/** How many bookings there are after that share of the days; the practice grew. Only exact arithmetic. */
function bookedBy({ plan }: Practice, share: number): number {
  return Math.floor(plan.bookings * (0.6 * share + 0.4 * share * share));
}

const OPENS = 8 * 60;
const SLOT_MINUTES = 30;
const SLOTS_OF_DAY = 16;
/** A prime that divides no number of places: steps of it visit every place of the day sheet once. */
const STRIDE = 43;

function* daySheet({ plan }: Practice, random: Random, day: Day, bookings: number): Generator<Slot> {
  const places = plan.rooms * SLOTS_OF_DAY;
  if (bookings > places || places % STRIDE === 0) throw new Error(`${plan.rooms} rooms cannot hold ${bookings} bookings a day`);
  const first = random.below(places);
  for (let order = 1; order <= bookings; order += 1) {
    const place = (first + order * STRIDE) % places;
    const minute = OPENS + Math.floor(place / plan.rooms) * SLOT_MINUTES;
    yield { roomId: 1 + (place % plan.rooms), at: day * MINUTES_OF_DAY + minute, order };
  }
}

/** Those who left are not booked again; after some tries in vain anybody is. */
function comingBack({ people }: Practice, random: Random, day: Day, registered: number): number {
  let id = random.between(1, registered);
  for (let attempt = 0; attempt < 8 && people.leaves(id) < day; attempt += 1) id = random.between(1, registered);
  return id;
}

/** The booking, and what goes along with it on the same day. */
function attend(practice: Practice, random: Random, id: number, slot: Slot): void {
  const patient = practice.people.patient(id);
  const day = Math.floor(slot.at / MINUTES_OF_DAY);
  book(practice, patient, slot);
  if (day > TODAY_DAY) return;
  if (random.chance(36)) write(practice, patient, day);
  if (random.chance(14)) recall(practice, patient, day);
  if (random.chance(28)) speak(practice, patient, day);
}
