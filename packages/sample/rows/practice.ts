import type { SQLInputValue } from 'node:sqlite';
import type { Day, Minute } from '../calendar.ts';
import type { Scene } from '../passage.ts';
import type { Patient, People, Staff } from '../people/people.ts';
import type { Random } from '../random.ts';
import type { Plan } from '../sizes.ts';

type Row = Readonly<Record<string, SQLInputValue>>;

/** What every writer of rows needs. */
export type Practice = {
  readonly seed: number;
  readonly plan: Plan;
  readonly people: People;
  /** Adds a row with a value for each column that is not generated. */
  readonly insert: (table: string, row: Row) => void;
  /** The next id of a table, counting from 1; `skip` leaves a gap. */
  readonly nextId: (table: string, skip?: number) => number;
};

/** Someone of `firstId` to `lastId` who worked here on that day; a founder when the draw finds nobody. */
export function onDuty(practice: Practice, random: Random, day: Day, [firstId, lastId]: readonly [number, number]): Staff {
  for (let attempt = 0; attempt < 4; attempt += 1) {
    const someone = practice.people.staff(random.between(firstId, lastId));
    if (someone.hired <= day && (someone.left === null || someone.left > day)) return someone;
  }
  return practice.people.staff(1);
}

export function dentists({ plan }: Practice): readonly [number, number] {
  return [1, plan.dentists];
}

export function frontDesk({ plan, people }: Practice): readonly [number, number] {
  return [plan.dentists * 2 + 1, people.staffCount - 1];
}

/** A booking while it is made up: its facts, and the stream all that hangs on it draws from. */
export type Visit = {
  readonly bookingId: number;
  readonly patient: Patient;
  readonly dentist: Staff;
  readonly day: Day;
  readonly at: Minute;
  readonly random: Random;
};

/** Somebody the patient lives with, or the patient when there is nobody. */
export function relativeOf(people: People, { id, household }: Patient): Patient {
  return people.patient(id === household.headId && household.size > 1 ? id + 1 : household.headId);
}

export function sceneOf(practice: Practice, { random, patient, dentist, day }: Visit): Scene {
  return { random, patient, relative: relativeOf(practice.people, patient), dentist, day };
}
