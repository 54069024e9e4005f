import { ageOn, isoDate, usDate, type Day } from './calendar.ts';
import { cardNumbers, formatSsn, neverIssuedSsn, testIban } from './people/identifiers.ts';
import { phoneNumber } from './people/contact.ts';
import type { Patient, Staff } from './people/people.ts';
import type { Random } from './random.ts';
import { allergies, conditions, drugs, findings, insurers, procedures, reasons, symptoms, teeth } from './words/dentistry.ts';
import { employers } from './words/places.ts';

/** What a stretch of text is, in the common names of entity recognisers; the last three are kinds of health data. */
export type EntityType =
  | 'PERSON'
  | 'LOCATION'
  | 'ORGANIZATION'
  | 'PHONE_NUMBER'
  | 'EMAIL_ADDRESS'
  | 'CREDIT_CARD'
  | 'IBAN_CODE'
  | 'US_SSN'
  | 'DATE_TIME'
  | 'DATE_OF_BIRTH'
  | 'AGE'
  | 'MEDICAL_CONDITION'
  | 'MEDICATION'
  | 'SYMPTOM';

/** UTF-16 offsets into the passage, end exclusive. */
export type Span = { readonly start: number; readonly end: number; readonly type: EntityType };
export type Passage = { readonly text: string; readonly spans: readonly Span[] };

/** Who and when a passage is about. */
export type Scene = {
  readonly random: Random;
  readonly patient: Patient;
  /** Somebody of the same household, or the patient when there is nobody else. */
  readonly relative: Patient;
  readonly dentist: Staff;
  readonly day: Day;
};

type Blank = { readonly type?: EntityType; readonly fill: (scene: Scene) => string };

const BLANKS: Readonly<Record<string, Blank>> = {
  patient: { type: 'PERSON', fill: ({ patient }) => `${patient.first} ${patient.last}` },
  first: { type: 'PERSON', fill: ({ patient }) => patient.first },
  last: { type: 'PERSON', fill: ({ patient }) => patient.last },
  relative: { type: 'PERSON', fill: ({ relative }) => `${relative.first} ${relative.last}` },
  dentist: { type: 'PERSON', fill: ({ dentist }) => dentist.last },
  title: { fill: ({ patient }) => (patient.female ? 'Ms.' : 'Mr.') },
  dob: { type: 'DATE_OF_BIRTH', fill: ({ patient }) => usDate(patient.born) },
  age: { type: 'AGE', fill: ({ patient, day }) => String(ageOn(patient.born, day)) },
  phone: { type: 'PHONE_NUMBER', fill: ({ random, patient }) => patient.phone || phoneNumber(random, 'US') },
  email: { type: 'EMAIL_ADDRESS', fill: ({ patient }) => patient.email || `${patient.login}@example.net` },
  address: { type: 'LOCATION', fill: ({ patient }) => patient.street },
  city: { type: 'LOCATION', fill: ({ patient }) => patient.place.city },
  employer: { type: 'ORGANIZATION', fill: ({ random }) => random.pick(employers) },
  insurer: { type: 'ORGANIZATION', fill: ({ random }) => random.pick(insurers) },
  ssn: { type: 'US_SSN', fill: ({ patient }) => formatSsn(neverIssuedSsn(patient.id)) },
  card: { type: 'CREDIT_CARD', fill: ({ random }) => random.pick(cardNumbers).replaceAll(/(.{4})(?=.)/g, '$1 ') },
  iban: { type: 'IBAN_CODE', fill: ({ random }) => testIban(random) },
  since: { type: 'DATE_TIME', fill: ({ random, day }) => writtenDate(random, day - random.between(1, 60)) },
  date: { type: 'DATE_TIME', fill: ({ random, day }) => writtenDate(random, day + random.between(2, 190)) },
  condition: { type: 'MEDICAL_CONDITION', fill: ({ random, patient }) => patient.condition || random.pick(conditions) },
  allergy: { type: 'MEDICAL_CONDITION', fill: ({ random, patient }) => patient.allergy || random.pick(allergies) },
  drug: { type: 'MEDICATION', fill: ({ random }) => random.pick(drugs).name },
  symptom: { type: 'SYMPTOM', fill: ({ random }) => random.pick(symptoms) },
  finding: { type: 'MEDICAL_CONDITION', fill: ({ random }) => random.pick(findings) },
  procedure: { fill: ({ random }) => random.pick(procedures).name.toLowerCase() },
  reason: { fill: ({ random }) => random.pick(reasons) },
  tooth: { fill: ({ random }) => String(random.pick(teeth)) },
};

/** A sentence read once: text and blanks in turn. */
export type Sentence = readonly (string | Blank)[];

/** Reads sentences with blanks in braces. Throws on a blank that nobody can fill. */
export function readSentences(templates: readonly string[]): readonly Sentence[] {
  return templates.map((template) =>
    template.split(/\{|\}/).map((part, index) => {
      if (index % 2 === 0) return part;
      const blank = BLANKS[part];
      if (blank === undefined) throw new Error(`No blank is called {${part}}`);
      return blank;
    }),
  );
}

/** Sentences one after the other, their blanks filled, and where the personal ones stand. */
export function compose(sentences: readonly Sentence[], scene: Scene): Passage {
  const spans: Span[] = [];
  let text = '';
  for (const sentence of sentences) {
    if (text !== '') text += ' ';
    for (const part of sentence) {
      if (typeof part === 'string') {
        text += part;
        continue;
      }
      const start = text.length;
      text += part.fill(scene);
      if (part.type !== undefined) spans.push({ start, end: text.length, type: part.type });
    }
  }
  return { text, spans };
}

function writtenDate(random: Random, day: Day): string {
  return random.chance(50) ? isoDate(day) : usDate(day);
}
