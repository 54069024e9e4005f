import { epochSeconds, MINUTES_OF_DAY, type Day } from '../calendar.ts';
import { compose, readSentences } from '../passage.ts';
import { testIpAddress } from '../people/identifiers.ts';
import type { Patient } from '../people/people.ts';
import { Random } from '../random.ts';
import { voiceCommands } from '../words/phrases.ts';
import { dentists, onDuty, relativeOf, type Practice } from './practice.ts';

const COMMANDS = voiceCommands.map(([intent, text]) => ({ intent, sentences: readSentences([text]) }));

/** What a dentist said to the machine, about whom. Milliseconds since 1970. */
export function speak(practice: Practice, patient: Patient, day: Day): void {
  const id = practice.nextId('voice_commands');
  const random = new Random(practice.seed, 'voice', id);
  const actor = onDuty(practice, random, day, dentists(practice));
  const about = random.chance(92);
  const { intent, sentences } = random.pick(COMMANDS);
  const scene = { random, patient, relative: relativeOf(practice.people, patient), dentist: actor, day };
  practice.insert('voice_commands', {
    id,
    session: `${random.next().toString(16).padStart(8, '0')}-${id.toString(16)}`,
    actor_id: actor.id,
    subject_id: about ? patient.id : null,
    spoken_at: epochSeconds(day * MINUTES_OF_DAY + random.between(481, 1019)) * 1000 + random.below(1000),
    intent: about ? intent : 'help',
    transcript: about ? compose(sentences, scene).text : random.pick(['what can I say', 'next room', 'stop listening', 'undo']),
    confidence: random.between(610, 999) / 1000,
  });
}

const USER_AGENTS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/109.0.0.0 Safari/537.36',
  'Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148',
  'DentalDesk/4.7',
];

/** More than any day has: keeps the streams of two days apart. */
const LOGINS_OF_DAY = 1000;

/** Somebody of the staff signs in. Seconds since 1970; the table has neither a key nor a link to staff but the name. */
export function signIn(practice: Practice, day: Day, turn: number): void {
  const random = new Random(practice.seed, 'login', day * LOGINS_OF_DAY + turn);
  const someone = onDuty(practice, random, day, [1, practice.people.staffCount]);
  practice.insert('login_log', {
    at: epochSeconds(day * MINUTES_OF_DAY + random.between(421, 1019)),
    user: someone.login,
    ip_address: testIpAddress(random),
    user_agent: random.chance(10) ? '' : random.pick(USER_AGENTS),
    success: random.chance(95) ? 1 : 0,
  });
}
