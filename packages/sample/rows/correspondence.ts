import { dayOf, isoDate, julianDay, MINUTES_OF_DAY, TODAY_DAY, utcTime, wallTime, type Day, type Minute } from '../calendar.ts';
import { compose, readSentences } from '../passage.ts';
import { phoneNumber } from '../people/contact.ts';
import type { Patient } from '../people/people.ts';
import { Random } from '../random.ts';
import { betweenPatients, fromPatient, letterBodies, toPatient } from '../words/phrases.ts';
import { uploadLetter } from './documents.ts';
import { dentists, frontDesk, onDuty, relativeOf, sceneOf, type Practice, type Visit } from './practice.ts';

const FROM_PATIENT = readSentences(fromPatient);
const TO_PATIENT = readSentences(toPatient);
const BETWEEN_PATIENTS = readSentences(betweenPatients);
const LETTERS = readSentences(letterBodies);

/** Before that release the application stored local time, after it UTC with a Z: one column, two readings. */
const UPGRADED = dayOf('2019-01-07');

type Direction = 'to-practice' | 'to-patient' | 'among-patients';
type Talk = { readonly patient: Patient; readonly relative: Patient; readonly direction: Direction; readonly at: Minute };

const SENTENCES = { 'to-practice': FROM_PATIENT, 'to-patient': TO_PATIENT, 'among-patients': BETWEEN_PATIENTS } as const;

/** A message between a patient and the practice or between two people of a household, and sometimes the reply. */
export function write(practice: Practice, patient: Patient, day: Day): void {
  const id = practice.nextId('messages');
  const random = new Random(practice.seed, 'message', id);
  const relative = relativeOf(practice.people, patient);
  const talk: Talk = {
    patient,
    relative,
    direction: direction(random, patient, relative),
    at: day * MINUTES_OF_DAY + random.between(390, 1290),
  };
  messageRow(practice, random, talk, { id, replyTo: null });
  if (random.chance(20)) messageRow(practice, random, answer(talk), { id: practice.nextId('messages'), replyTo: id });
}

function direction(random: Random, patient: Patient, relative: Patient): Direction {
  if (relative.id !== patient.id && random.chance(45)) return 'among-patients';
  return random.chance(50) ? 'to-patient' : 'to-practice';
}

function answer({ patient, relative, direction: asked, at }: Talk): Talk {
  const later = at + 95;
  if (asked === 'among-patients') return { patient: relative, relative: patient, direction: asked, at: later };
  return { patient, relative, direction: asked === 'to-patient' ? 'to-practice' : 'to-patient', at: later };
}

function messageRow(practice: Practice, random: Random, talk: Talk, { id, replyTo }: { id: number; replyTo: number | null }): void {
  const { patient, relative, direction: towards, at } = talk;
  const day = Math.floor(at / MINUTES_OF_DAY);
  const dentist = onDuty(practice, random, day, dentists(practice));
  practice.insert('messages', {
    id,
    sender_id: towards === 'to-patient' ? null : patient.id,
    recipient_id: towards === 'to-practice' ? null : towards === 'to-patient' ? patient.id : relative.id,
    staff_id: towards === 'among-patients' ? null : onDuty(practice, random, day, frontDesk(practice)).id,
    reply_to_id: replyTo,
    subject: replyTo === null ? random.pick(['', '', 'Appointment', 'Invoice', 'Question about my treatment plan']) : 're:',
    body: compose([random.pick(SENTENCES[towards])], { random, patient, relative, dentist, day }).text,
    sent_at: sentAt(at),
    read_at: random.chance(80) ? sentAt(at + random.between(1, 90)) : null,
    deleted_at: random.chance(3) ? sentAt(at + 5000) : null,
  });
}

function sentAt(at: Minute): string {
  return at < UPGRADED * MINUTES_OF_DAY ? wallTime(at) : utcTime(at);
}

/** The reminder to come again. */
export function recall({ seed, insert, nextId }: Practice, patient: Patient, day: Day): void {
  const id = nextId('recalls');
  const random = new Random(seed, 'recall', id);
  const due = day + random.between(150, 380);
  insert('recalls', {
    id,
    patient_id: patient.id,
    reason: random.pick(['check-up', 'cleaning', 'check-up', 'gum treatment', 'orthodontic check']),
    due: julianDay(due),
    channel: random.pick(['sms', 'email', 'letter', 'phone']),
    // Empty where it was never sent, which was meant as NULL.
    sent_on: due < TODAY_DAY && random.chance(80) ? isoDate(due - 14) : '',
  });
}

const SPECIALISTS = [
  'Dr. Amelia Thornbury',
  'Dr. Rajesh Venkataraman',
  'Dr. Søren Kierulff',
  'Dr. Inés Caballero',
  'Dr. Nkechi Obiora',
];

/** A letter to a specialist, a person who is neither patient nor staff; the copy goes into the documents. */
export function referTo(practice: Practice, visit: Visit): void {
  const { patient, dentist, day, at, random } = visit;
  const which = random.below(SPECIALISTS.length);
  const body = compose([random.pick(LETTERS)], sceneOf(practice, visit)).text;
  practice.insert('referral_letters', {
    id: practice.nextId('referral_letters'),
    patient_id: patient.id,
    author_id: dentist.id,
    specialist_name: SPECIALISTS[which] ?? '',
    specialist_email: `specialist${which + 1}@clinic.example.net`,
    specialist_phone: phoneNumber(random, 'US'),
    body,
    sent_on: isoDate(day + 1),
  });
  uploadLetter(practice, { patient, uploader: dentist, at: at + 61 }, body);
}
