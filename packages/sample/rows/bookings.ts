import { isoDate, MINUTES_OF_DAY, offsetTime, TODAY_DAY, utcTime, wallTime, type Day, type Minute } from '../calendar.ts';
import type { Patient } from '../people/people.ts';
import { Random } from '../random.ts';
import { diagnoses, drugs, procedures, reasons, teeth, type Procedure } from '../words/dentistry.ts';
import { referTo } from './correspondence.ts';
import { uploadXray } from './documents.ts';
import { charge } from './money.ts';
import { composeNote } from './notes.ts';
import { dentists, frontDesk, onDuty, sceneOf, type Practice, type Visit } from './practice.ts';

/** A place in the calendar of a day: no two bookings share one. */
export type Slot = { readonly roomId: number; readonly at: Minute; readonly order: number };

/** One booking, and for those that took place everything the visit left behind. */
export function book(practice: Practice, patient: Patient, slot: Slot): void {
  const bookingId = practice.nextId('bookings');
  const random = new Random(practice.seed, 'booking', bookingId);
  const day = Math.floor(slot.at / MINUTES_OF_DAY);
  const dentist = onDuty(practice, random, day, dentists(practice));
  const visit: Visit = { bookingId, patient, dentist, day, at: slot.at, random };
  const status = statusOf(random, day);
  bookingRow(practice, visit, slot, status);
  if (status === 'completed') takePlace(practice, visit);
}

function statusOf(random: Random, day: Day): string {
  if (day > TODAY_DAY) return random.chance(40) ? 'confirmed' : 'booked';
  const fate = random.below(100);
  if (fate < 82) return 'completed';
  return fate < 93 ? 'cancelled' : 'no-show';
}

function bookingRow(practice: Practice, { bookingId, patient, dentist, day, at, random }: Visit, slot: Slot, status: string): void {
  // At the latest the evening before: nobody is seen without a booking.
  const asked = Math.max(patient.registered, Math.min(day, TODAY_DAY) - random.between(1, 90));
  const desk = onDuty(practice, random, asked, frontDesk(practice));
  practice.insert('bookings', {
    id: bookingId,
    patient_id: patient.id,
    dentist_id: dentist.id,
    room_id: slot.roomId,
    starts_at: wallTime(at),
    minutes: random.pick([20, 30, 30, 30, 25]),
    order: slot.order,
    status,
    // Declared as VARCHAR(20), and longer when it pleases.
    reason: random.chance(12) ? '' : random.pick(reasons),
    booked_by: random.chance(85) ? desk.id : null,
    booked_at: offsetTime(Math.min(asked * MINUTES_OF_DAY + random.between(481, 1019), at - 5)),
    deleted_at: status === 'cancelled' && random.chance(40) ? wallTime(at + 1111) : null,
  });
}

function takePlace(practice: Practice, visit: Visit): void {
  const done = treat(practice, visit);
  const { random } = visit;
  if (random.chance(88)) writeNote(practice, visit);
  if (random.chance(9)) prescribe(practice, visit);
  if (random.chance(4)) referTo(practice, visit);
  if (random.chance(5)) uploadXray(practice, { patient: visit.patient, uploader: visit.dentist, at: visit.at + 13 });
  if (random.chance(86)) charge(practice, visit, done);
}

function treat({ insert, nextId }: Practice, { bookingId, dentist, random }: Visit): readonly Procedure[] {
  const done = random.chance(35) ? [random.pick(procedures), random.pick(procedures)] : [random.pick(procedures)];
  for (const procedure of done) {
    const id = nextId('treatments');
    insert('treatments', {
      id,
      booking_id: bookingId,
      procedure_code: procedure.code,
      diagnosis: procedure.teeth > 0 ? random.pick(diagnoses) : null,
      done_by: dentist.id,
      // As the old calculator left it: 0.1 is not 0.1 in binary.
      price: procedure.price * (random.chance(10) ? 0.9 : 1),
      outcome: random.pick(['', '', 'ok', 'good', 'to be watched', 'pain gone']),
    });
    const first = random.below(teeth.length);
    for (let step = 0; step < procedure.teeth; step += 1) {
      insert('treatment_teeth', { treatment_id: id, tooth: teeth[(first + step) % teeth.length] ?? 11 });
    }
  }
  return done;
}

function writeNote(practice: Practice, visit: Visit): void {
  const { bookingId, patient, dentist, at, random } = visit;
  practice.insert('clinical_notes', {
    id: practice.nextId('clinical_notes'),
    patient_id: patient.id,
    booking_id: random.chance(95) ? bookingId : null,
    author_id: dentist.id,
    body: composeNote(sceneOf(practice, visit)).text,
    written_at: utcTime(at + random.between(20, 44)),
    deleted_at: random.chance(2) ? wallTime(at + 2880) : null,
  });
}

function prescribe({ insert, nextId }: Practice, { bookingId, patient, dentist, day, random }: Visit): void {
  const drug = random.pick(drugs);
  insert('prescriptions', {
    id: nextId('prescriptions'),
    patient_id: patient.id,
    booking_id: bookingId,
    prescriber_id: dentist.id,
    drug: drug.name,
    dose: drug.dose,
    instructions: drug.take,
    refills: random.chance(10) ? random.between(1, 3) : 0,
    issued_on: isoDate(day),
  });
}
