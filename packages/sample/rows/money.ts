import { dayOf, isoDate, MINUTES_OF_DAY, TODAY_DAY, utcTime, yearOf } from '../calendar.ts';
import { compose, readSentences } from '../passage.ts';
import { cardNumbers, testIban } from '../people/identifiers.ts';
import type { Procedure } from '../words/dentistry.ts';
import { invoiceNotes } from '../words/phrases.ts';
import { policyOf } from './arrival.ts';
import { sceneOf, type Practice, type Visit } from './practice.ts';

const NOTES = readSentences(invoiceNotes);
/** Until then card numbers were kept in full. */
const AUDITED = dayOf('2019-04-01');
const DUE_DAYS = 21;

type Invoice = { readonly id: number; readonly total: number };

/** The invoice of a visit, its lines, and most often its payment. A child's invoice goes to the guardian. */
export function charge(practice: Practice, visit: Visit, done: readonly Procedure[]): void {
  const { bookingId, patient, day, random } = visit;
  const id = practice.nextId('invoices');
  const total = Math.round(done.reduce((sum, { price }) => sum + price, 0) * 100) / 100;
  const overdue = day < TODAY_DAY - DUE_DAYS;
  const paid = random.chance(overdue ? 93 : 40);
  practice.insert('invoices', {
    id,
    number: `INV-${yearOf(day)}-${String(id).padStart(7, '0')}`,
    patient_id: patient.id,
    payer_id: patient.guardianId ?? patient.id,
    booking_id: bookingId,
    issued_on: isoDate(day),
    due_on: isoDate(day + DUE_DAYS),
    total,
    status: paid ? 'paid' : random.chance(20) ? 'void' : 'open',
    note: random.chance(8) ? compose([random.pick(NOTES)], sceneOf(practice, visit)).text : '',
  });
  for (const [index, { code, name, price }] of done.entries()) {
    practice.insert('Invoice Lines', {
      'Invoice No': id,
      'Line No': index + 1,
      'Procedure Code': code,
      'Description': name,
      'Unit Price': price,
      'Quantity': 1,
    });
  }
  if (paid) pay(practice, visit, { id, total });
}

function pay(practice: Practice, visit: Visit, invoice: Invoice): void {
  const { patient, day, random } = visit;
  const abroad = patient.place.country !== 'US';
  const method = abroad
    ? 'transfer'
    : random.pick(patient.insured ? ['card', 'card', 'cash', 'insurance'] : ['card', 'card', 'cash']);
  const payer = practice.people.patient(patient.guardianId ?? patient.id);
  // Before their end, which is what AUTOINCREMENT is for, numbers of voided entries are not used again.
  const id = practice.nextId('payments', random.chance(3) ? random.between(1, 9) : 0);
  practice.insert('payments', {
    id,
    invoice_id: invoice.id,
    paid_at: utcTime(Math.min(day + random.below(60), TODAY_DAY) * MINUTES_OF_DAY + random.between(481, 1019)),
    amount: invoice.total,
    method,
    ...(method === 'card' ? card(visit) : { card_number: null, card_expiry: null }),
    iban: method === 'transfer' ? testIban(random) : null,
    payer_name: method === 'cash' ? '' : `${payer.first} ${payer.last}`,
  });
  if (method === 'insurance') claim(practice, visit, invoice);
}

function card({ day, random }: Visit): { card_number: string; card_expiry: string } {
  const number = random.pick(cardNumbers);
  const expiry = `${String(random.between(1, 12)).padStart(2, '0')}/${String((yearOf(day) + random.between(1, 4)) % 100)}`;
  return { card_number: day < AUDITED ? number : `************${number.slice(-4)}`, card_expiry: expiry };
}

function claim({ insert, nextId }: Practice, { patient, random }: Visit, { id, total }: Invoice): void {
  insert('insurance_claims', {
    id: nextId('insurance_claims'),
    ...policyOf(patient),
    invoice_id: id,
    amount: total,
    state: random.pick(['sent', 'accepted', 'accepted', 'accepted', 'refused']),
  });
}
