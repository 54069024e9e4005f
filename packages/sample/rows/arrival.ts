import { isoDate, MINUTES_OF_DAY, utcTime, wallTime, ageOn, TODAY_DAY, yearOf, type Minute } from '../calendar.ts';
import { phoneNumber } from '../people/contact.ts';
import { formatSsn, neverIssuedSsn, testIpAddress } from '../people/identifiers.ts';
import type { Patient } from '../people/people.ts';
import { Random } from '../random.ts';
import { insurers } from '../words/dentistry.ts';
import { employers, jobs } from '../words/places.ts';
import { dentists, frontDesk, onDuty, type Practice } from './practice.ts';
import { uploadConsent } from './documents.ts';

/** Patients taken over from the program used before carry its number. */
const TAKEN_OVER = 400;

/** A person registers: the row of the patient and what is filled in on the first day. */
export function register(practice: Practice, patient: Patient): void {
  const random = new Random(practice.seed, 'arrival', patient.id);
  const at = patient.registered * MINUTES_OF_DAY + random.between(481, 1019);
  const guardian = patient.guardianId === null ? patient : practice.people.patient(patient.guardianId);
  patientRow(practice, random, patient, at);
  familyLink(practice, patient);
  questionnaire(practice, random, patient, at);
  consents(practice, random, { patient, guardian, at });
  if (patient.insured) policy(practice, random, patient, guardian);
  if (random.chance(30)) {
    const desk = onDuty(practice, random, patient.registered, frontDesk(practice));
    uploadConsent(practice, { patient, signer: guardian, uploader: desk, at: at + 7 });
  }
}

function patientRow(practice: Practice, random: Random, patient: Patient, at: Minute): void {
  const age = ageOn(patient.born, TODAY_DAY);
  const grown = age >= 18;
  const works = grown && age < 68 && random.chance(70);
  const contact = emergencyContact(practice, random, patient);
  practice.insert('patients', {
    id: patient.id,
    chart_no: `RD-${String(patient.id).padStart(6, '0')}`,
    first_name: patient.first,
    // A blank too many, now and then.
    last_name: random.chance(1) ? `${patient.last} ` : patient.last,
    native_name: patient.native,
    date_of_birth: isoDate(patient.born),
    gender: gender(random, patient),
    language: patient.language,
    email: patient.email,
    email_verified: patient.email !== '' && random.chance(60) ? 1 : 0,
    phone: patient.phone,
    mobile: patient.mobile,
    street: patient.street,
    country: patient.place.country,
    postcode: patient.place.postcode,
    city: patient.place.city,
    ssn: patient.place.country === 'US' && random.chance(82) ? formatSsn(neverIssuedSsn(patient.id)) : null,
    marital_status: maritalStatus(random, patient, age),
    employer: works ? random.pick(employers) : '',
    job: works ? random.pick(jobs) : age >= 68 ? 'retired' : '',
    medical_alert: patient.condition,
    allergies: patient.allergy === '' ? random.pick(['', 'none', 'n/a', 'NKDA']) : patient.allergy,
    emergency_contact: contact.name,
    emergency_phone: contact.phone,
    portal_login: grown && random.chance(45) ? patient.login : null,
    sms_ok: random.chance(70) ? 1 : 0,
    newsletter: random.chance(25) ? 'true' : 'false',
    balance: 0,
    legacy_no: patient.id <= TAKEN_OVER ? 70_000 + patient.id * 3 : 'n/a',
    guardian_id: patient.guardianId,
    preferred_dentist_id: random.chance(50) ? onDuty(practice, random, patient.registered, dentists(practice)).id : null,
    preferred_booking_id: null,
    last_visit_at: null,
    created_at: wallTime(at),
    updated_at: utcTime(at + random.below(200_000)),
    deleted_at:
      patient.leaves < TODAY_DAY - 700 && random.chance(8) ? wallTime((patient.leaves + 400) * MINUTES_OF_DAY + 600) : null,
  });
}

/** Who came with a partner is not single; the field was often skipped. */
function maritalStatus(random: Random, { id, household }: Patient, age: number): string | null {
  if (age < 18) return null;
  if (random.chance(20)) return '';
  if (household.adults === 2 && id < household.headId + 2) return random.pick(['married', 'married', 'partnered']);
  return age < 30 ? 'single' : random.pick(['single', 'divorced', 'widowed']);
}

function gender(random: Random, patient: Patient): string {
  const style = random.below(100);
  if (style < 2) return '';
  if (style < 3) return 'X';
  return patient.female ? 'F' : 'M';
}

/** Mostly somebody at home; else a person who is no patient at all. */
function emergencyContact({ people }: Practice, random: Random, patient: Patient): { name: string; phone: string } {
  if (random.chance(30)) return { name: '', phone: '' };
  const { headId, size } = patient.household;
  const other = people.patient(patient.id === headId && size > 1 ? headId + 1 : headId);
  const first = other.id === patient.id ? random.pick(['Aunt Rosa', 'Pat', 'Chris', 'Dr. Lee', 'neighbor Jo']) : other.first;
  return { name: `${first} ${other.last}`, phone: other.mobile || phoneNumber(random, other.place.country) };
}

function familyLink({ insert }: Practice, { id, household }: Patient): void {
  if (id === household.headId) return;
  const relation = id < household.headId + household.adults ? 'partner' : 'child';
  insert('family_links', { patient_id: household.headId, relative_id: id, relation });
}

/** Personal data as leaves of a JSON document, which a reader of columns does not see. */
function questionnaire({ insert, nextId }: Practice, random: Random, patient: Patient, at: Minute): void {
  const grown = ageOn(patient.born, patient.registered) >= 18;
  const answers = {
    smoker: grown && random.chance(20),
    alcohol: grown ? random.pick(['never', 'sometimes', 'daily']) : 'never',
    conditions: patient.condition === '' ? [] : [patient.condition],
    allergies: patient.allergy === '' ? [] : [patient.allergy],
    physician: {
      name: `Dr. ${random.pick(['Amara Osei', 'Lena Fischer', 'Hugo Marchetti', 'Priti Nair'])}`,
      phone: phoneNumber(random, 'US'),
    },
    pregnant: patient.female && grown ? random.chance(3) : null,
    reached_by: patient.mobile || patient.email || patient.phone,
  };
  insert('questionnaires', {
    id: nextId('questionnaires'),
    patient_id: patient.id,
    answers: JSON.stringify(answers),
    submitted_at: wallTime(at),
  });
}

type Signing = { readonly patient: Patient; readonly guardian: Patient; readonly at: Minute };

/** A child's forms are signed by the guardian: one row, two people. */
function consents({ insert }: Practice, random: Random, { patient, guardian, at }: Signing): void {
  for (const form of ['treatment', 'reminders', 'newsletter']) {
    if (form === 'newsletter' && random.chance(50)) continue;
    insert('consent_forms', {
      patient_id: patient.id,
      form,
      version: yearOf(patient.registered) < 2018 ? 1 : 2,
      signed_by: guardian.id,
      given: form === 'treatment' || random.chance(70) ? 1 : 0,
      signed_name: `${guardian.first} ${guardian.last}`,
      ip_address: random.chance(40) ? testIpAddress(random) : null,
      signed_at: utcTime(at + 3),
    });
  }
}

/** Policy numbers are made of the patient's id, so that claims find them again. */
export function policyOf({ id }: Patient): { insurer_id: number; policy_no: string } {
  return { insurer_id: 1 + (id % insurers.length), policy_no: `P${String(id * 37).padStart(9, '0')}` };
}

function policy({ insert }: Practice, random: Random, patient: Patient, guardian: Patient): void {
  const holder = patient.household.adults === 2 && random.chance(30) ? patient.household.headId : guardian.id;
  insert('insurance_policies', {
    ...policyOf(patient),
    patient_id: patient.id,
    holder_id: holder,
    group_no: random.chance(50) ? `G-${random.digits(4)}` : '',
    valid_from: isoDate(patient.registered - random.below(900)),
    valid_to: random.chance(75) ? '9999-12-31' : isoDate(patient.registered + random.between(400, 3000)),
  });
}
