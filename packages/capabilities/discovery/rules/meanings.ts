// What a meaning of the lexicon says about a column: its category, which types can hold it, and how much it needs its table.
import type { Family } from './families.ts';

/**
 * How far a name alone can be trusted:
 * - `anywhere`: nothing else is called so (`passport_number`);
 * - `contact`: everywhere but with organisations, whose mailbox and number are nobody's (recital 14 GDPR);
 * - `person`: in tables of persons and about them (`gender`);
 * - `address`: as `person`, and only in the company of other parts of an address where the word has other uses (`state`);
 * - `row`: in tables of persons only (`name`), or where the column itself names a person (`doctor_name`);
 * - `free`: text in which anything may stand, in tables of persons and about them;
 * - `health`: in tables of persons and about them; in a list of illnesses it is about nobody.
 */
export type Need = 'anywhere' | 'contact' | 'person' | 'address' | 'row' | 'free' | 'health';

export type Meaning = { readonly category: string; readonly need: Need; readonly families: ReadonlySet<Family> };

const TEXT: readonly Family[] = ['text', 'enum', 'array', 'json', 'unknown'];
const CODE: readonly Family[] = [...TEXT, 'number', 'uuid'];
const DAY: readonly Family[] = ['date', 'text', 'number', 'unknown'];
const NUMBER: readonly Family[] = ['number', 'text', 'money', 'unknown', 'range'];
const STATE: readonly Family[] = [...TEXT, 'number', 'boolean'];
const FACT: readonly Family[] = [...STATE, 'date', 'binary'];
const FILE: readonly Family[] = ['text', 'binary', 'json', 'unknown'];

const HEALTH = 'user.health_and_medical';

const table: Readonly<Record<string, readonly [category: string, need: Need, families: readonly Family[]]>> = {
  'first-name': ['user.name.first', 'person', TEXT],
  'middle-name': ['user.name', 'person', TEXT],
  'last-name': ['user.name.last', 'person', TEXT],
  'maiden-name': ['user.name.last', 'person', TEXT],
  'full-name': ['user.name', 'person', TEXT],
  'nickname': ['user.name', 'person', TEXT],
  'name': ['user.name', 'row', TEXT],
  'honorific': ['user.name', 'row', TEXT],
  'contact-name': ['user.name', 'anywhere', TEXT],
  'initials': ['user.name', 'person', TEXT],
  'email': ['user.contact.email', 'contact', TEXT],
  'phone': ['user.contact.phone_number', 'contact', CODE],
  'extension': ['user.contact.phone_number', 'row', CODE],
  'fax': ['user.contact.fax_number', 'contact', CODE],
  'address': ['user.contact.address', 'address', TEXT],
  'street': ['user.contact.address.street', 'address', CODE],
  'city': ['user.contact.address.city', 'address', TEXT],
  'state': ['user.contact.address.state', 'address', TEXT],
  'postcode': ['user.contact.address.postal_code', 'address', CODE],
  'country': ['user.contact.address.country', 'address', TEXT],
  'latitude': ['user.location.precise', 'address', NUMBER],
  'longitude': ['user.location.precise', 'address', NUMBER],
  'location': ['user.location', 'person', [...TEXT, 'geometry']],
  'social': ['user.contact.social_url', 'person', CODE],
  'website': ['user.contact.url', 'row', TEXT],
  'username': ['user.account.username', 'contact', CODE],
  'birth-date': ['user.demographic.date_of_birth', 'anywhere', DAY],
  'birth-year': ['user.demographic.date_of_birth', 'anywhere', DAY],
  'birth-place': ['user.demographic', 'anywhere', TEXT],
  'age': ['user.demographic.age_range', 'person', [...CODE, 'range']],
  'gender': ['user.demographic.gender', 'person', STATE],
  'marital': ['user.demographic.marital_status', 'person', STATE],
  'death-date': [`${HEALTH}.vital_status`, 'person', FACT],
  'race': ['user.demographic.race_ethnicity', 'person', STATE],
  'religion': ['user.demographic.religious_belief', 'person', STATE],
  'politics': ['user.demographic.political_opinion', 'anywhere', STATE],
  'orientation': ['user.demographic.sexual_orientation', 'anywhere', STATE],
  'union': ['user.demographic.union_membership', 'anywhere', STATE],
  'citizenship': ['user.demographic.citizenship_or_immigration_status', 'person', CODE],
  'language': ['user.demographic.language', 'row', TEXT],
  'education': ['user.demographic.profile', 'row', STATE],
  'income': ['user.financial', 'person', NUMBER],
  'credit-score': ['user.financial', 'person', NUMBER],
  'balance': ['user.financial', 'row', NUMBER],
  'job': ['user.job_title', 'person', TEXT],
  'employer': ['user.workplace', 'person', TEXT],
  'department': ['user.workplace', 'row', TEXT],
  'photo': ['user.content.self_image', 'row', FILE],
  'signature': ['user.biometric', 'row', FILE],
  'fingerprint': ['user.biometric', 'row', [...FILE, 'array', 'vector']],
  'biometric': ['user.biometric', 'anywhere', [...FILE, 'array', 'vector']],
  'height': [`${HEALTH}.biometric_measure`, 'health', NUMBER],
  'weight': [`${HEALTH}.biometric_measure`, 'health', NUMBER],
  'relative': ['user.name', 'person', TEXT],
  'ssn': ['user.government_id.national_identification_number', 'anywhere', CODE],
  'tax-id': ['user.government_id', 'contact', CODE],
  'passport': ['user.government_id.passport_number', 'anywhere', CODE],
  'license': ['user.government_id', 'person', CODE],
  'vehicle': ['user.government_id.vehicle_registration', 'contact', CODE],
  'iban': ['user.financial.bank_account', 'contact', CODE],
  'card-number': ['user.financial.credit_card.number', 'anywhere', CODE],
  'cvv': ['user.financial.credit_card.verification_code', 'anywhere', CODE],
  'card-expiry': ['user.financial.credit_card.expiry', 'anywhere', [...DAY, 'enum']],
  'card-holder': ['user.financial.credit_card.cardholder_name', 'anywhere', TEXT],
  'card-last4': ['user.financial.credit_card.last4', 'anywhere', CODE],
  'card-pin': ['user.financial.credit_card.pin', 'person', CODE],
  'card-track': ['user.financial.credit_card.track', 'person', TEXT],
  'diagnosis': [`${HEALTH}.diagnosis`, 'health', CODE],
  'condition': [`${HEALTH}.condition`, 'health', STATE],
  'reason': [`${HEALTH}.condition`, 'health', CODE],
  'symptom': [`${HEALTH}.symptom`, 'health', STATE],
  'allergy': [`${HEALTH}.allergy`, 'health', STATE],
  'medication': [`${HEALTH}.medication`, 'health', CODE],
  'treatment': [`${HEALTH}.treatment`, 'health', CODE],
  'laboratory': [`${HEALTH}.laboratory`, 'health', [...CODE, 'range']],
  'immunisation': [`${HEALTH}.immunisation`, 'health', FACT],
  'clinical-note': [`${HEALTH}.clinical_note`, 'health', FILE],
  'disability': [`${HEALTH}.disability`, 'health', STATE],
  'pregnancy': [`${HEALTH}.reproductive`, 'health', FACT],
  'substance': [`${HEALTH}.substance_use`, 'health', STATE],
  'mental': [`${HEALTH}.mental_health`, 'health', STATE],
  'genetic': ['user.health_and_medical.genetic', 'health', FILE],
  'record-no': [`${HEALTH}.record_id`, 'anywhere', CODE],
  'insurance-no': [`${HEALTH}.insurance_beneficiary_id`, 'health', CODE],
  'insurance': [`${HEALTH}.insurance`, 'health', TEXT],
  'diet': [HEALTH, 'health', STATE],
  'ip': ['user.device.ip_address', 'anywhere', ['text', 'inet', 'number', 'array', 'unknown', 'binary']],
  'mac': ['user.device.device_id', 'person', ['text', 'inet', 'unknown']],
  'device': ['user.device.device_id', 'contact', CODE],
  'cookie': ['user.device.cookie_id', 'contact', CODE],
  'user-agent': ['user.device', 'contact', TEXT],
  'session': ['user.device.cookie_id', 'person', [...CODE, 'binary']],
  'browsing': ['user.behavior.browsing_history', 'person', TEXT],
  'password': ['user.authorization.password', 'contact', ['text', 'binary', 'unknown']],
  'credential': ['user.authorization.credentials', 'contact', ['text', 'binary', 'json', 'uuid', 'array', 'unknown']],
  'note': ['user.content.private', 'free', FILE],
  'message': ['user.content.private', 'free', FILE],
  'bio': ['user.content', 'free', FILE],
  'answer': ['user.content.private', 'free', [...FILE, 'array']],
  'criminal': ['user.criminal_history', 'person', FACT],
  'purchase': ['user.behavior.purchase_history', 'person', FILE],
  'children': ['user.demographic.profile', 'person', STATE],
  'student-no': ['user.unique_id', 'person', CODE],
  'employee-no': ['user.unique_id', 'person', CODE],
  'member-no': ['user.unique_id', 'person', CODE],
  'grade': ['user.demographic.profile', 'person', CODE],
  'performance': ['user.workplace', 'person', STATE],
};

/** By the meaning's name in the lexicon. `preference` and the kinds of things (`@…`) have none. */
export const meanings: ReadonlyMap<string, Meaning> = new Map(
  Object.entries(table).map(([name, [category, need, families]]) => [name, { category, need, families: new Set(families) }]),
);

/** The parts by which a table shows that its rows are people. */
export const IDENTITY = new Set([
  'first-name',
  'last-name',
  'full-name',
  'birth-date',
  'gender',
  'ssn',
  'marital',
  'maiden-name',
  'middle-name',
]);
