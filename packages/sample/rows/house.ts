import { dayOf, isoDate, MINUTES_OF_DAY, TODAY_DAY, utcTime, wallTime } from '../calendar.ts';
import { phoneNumber } from '../people/contact.ts';
import type { Staff } from '../people/people.ts';
import { Random } from '../random.ts';
import { insurers, procedures, teeth, toothName } from '../words/dentistry.ts';
import { plain } from '../words/names.ts';
import { farAway, nearby } from '../words/places.ts';
import type { Practice } from './practice.ts';

/** Settings, lookup tables and staff: what stands before the first patient comes. */
export function furnish(practice: Practice): void {
  settings(practice);
  lookups(practice);
  for (let id = 1; id <= practice.people.staffCount; id += 1) employ(practice, practice.people.staff(id));
}

function settings({ insert }: Practice): void {
  const changed = wallTime(dayOf('2021-06-14') * MINUTES_OF_DAY + 611);
  // A practice's own name, number and mail address look personal and are not.
  const values: readonly (readonly [string, string | null])[] = [
    ['practice.name', 'Riverside Dental'],
    ['practice.phone', '(503) 555-0100'],
    ['practice.email', 'frontdesk@riverside-dental.example.org'],
    ['calendar.slot_minutes', '30'],
    ['calendar.colour', '#3A7CA5'],
    ['invoice.due_days', '21'],
    ['reminder.enabled', 'true'],
    ['backup.last_result', ''],
    ['theme', null],
  ];
  for (const [key, value] of values) insert('app_settings', { key, value, changed_at: changed });
  // Beyond 2^53: a reader that takes integers for JavaScript numbers loses the last digits.
  const tokens = {
    'front-desk': 9_007_199_254_740_993n,
    'chairside-1': 1_834_509_112_358_132_137n,
    'x-ray': 9_223_372_036_854_775_807n,
  };
  const seen = utcTime(TODAY_DAY * MINUTES_OF_DAY + 1021);
  for (const [device, token] of Object.entries(tokens)) {
    insert('sync_state', { device, last_change_token: token, pending: 0, last_seen_at: seen });
  }
}

function lookups({ seed, plan, insert }: Practice): void {
  const random = new Random(seed, 'staff', 0);
  for (let id = 1; id <= plan.rooms; id += 1) {
    insert('rooms', { id, name: `Room ${id}`, floor: 1 + (id % 3), has_xray: id % 4 === 1 ? 1 : 0 });
  }
  for (const { country, postcode, city, state } of [...nearby, ...farAway]) insert('postcodes', { country, postcode, city, state });
  for (const number of teeth) insert('teeth', { number, name: toothName(number) });
  for (const { code, name, price } of procedures)
    insert('procedures', { code, name, price, active: code === 'FI30' ? 'false' : 'true' });
  for (const [index, name] of insurers.entries()) {
    const domain = `${plain(name)}.example.com`;
    insert('insurers', {
      id: index + 1,
      name,
      phone: phoneNumber(random, 'US'),
      email: `claims@${domain}`,
      claims_url: `https://${domain}/claims`,
    });
  }
}

function employ({ seed, insert }: Practice, someone: Staff): void {
  const random = new Random(seed, 'staff', -someone.id);
  const licensed = someone.role === 'dentist' || someone.role === 'hygienist';
  insert('staff', {
    id: someone.id,
    user: someone.login,
    first_name: someone.first,
    last_name: someone.last,
    role: someone.role,
    email: `${someone.id % 4 === 0 ? someone.login.toUpperCase() : someone.login}@riverside-dental.example.org`,
    phone: phoneNumber(random, 'US'),
    licence_no: licensed ? `OR-D${random.digits(6)}` : '',
    password_hash: passwordHash(random),
    active: someone.left === null ? 'true' : 'false',
    hired_on: isoDate(someone.hired),
    left_on: someone.left === null ? null : isoDate(someone.left),
  });
}

const BCRYPT_LETTERS = [...'./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'];
const BCRYPT_LENGTH = 53;

/** The shape of a bcrypt hash, of no password at all. */
function passwordHash(random: Random): string {
  return `$2b$12$${Array.from({ length: BCRYPT_LENGTH }, () => random.pick(BCRYPT_LETTERS)).join('')}`;
}
