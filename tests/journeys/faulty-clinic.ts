/** A clinic for a map in which everything is wrong; `login` may read all of its tables but one. Its password is its name. */
export function faultyClinic(login: string): string {
  return `
    create table patients (id integer primary key, email text not null, phone text, seen_at timestamptz);
    create table bookings (id integer primary key, patient_id integer references patients, room text);
    create table messages (id integer primary key, sender_id integer references patients, recipient_id integer references patients, words text);
    create table letters (id integer primary key, words text);
    create table convictions (id integer primary key, patient_id integer references patients, offence text);
    create table diagnoses (id integer primary key, patient_id integer references patients, words text);
    create table posts (id integer primary key, author_id integer references patients, words text);
    create table sealed (id integer primary key);
    create table visits (id integer, patient_id integer references patients) partition by range (id);
    create table visits_1 partition of visits for values from (1) to (10);
    create view everybody as select * from patients;
    create role ${login} login password '${login}';
    grant select on patients, bookings, messages, letters, convictions, diagnoses, posts, visits, visits_1, everybody to ${login}`;
}

/** One problem of each kind that the gate knows, with its code beside it. */
export const faultyMap = `version: 1
purposes:
  care: { use: essential.service, retention: 10y } # purpose-without-basis
  fun: { use: essential.amusement, basis: contract } # unknown-use
subjects:
  patient: { table: patients, key: id, find_by: [telex] } # subject-column
tables:
  patients: # phone: unclassified-column
    purposes: [care]
    columns:
      id: { category: user.unique_id, protect: client } # protect-unsupported
      email: { category: user.contact.email, erase: null } # erase-refused
      seen_at: { category: user.unheard_of } # unknown-category
      fax: { category: user.contact.phone_number } # vanished-column
  bookings:
    purposes: [car] # unknown-purpose
    of: { patient: room } # broken-path
    tenant: shared # tenant-missing
    columns:
      id: { category: user.unique_id, search: [exact] } # search-unprotected
      patient_id: { category: user.unique_id, of: id } # column-path
      room: { category: none } # none-without-note
  messages: # ambiguous-path
    columns:
      id: { category: user.unique_id }
      sender_id: { category: user.unique_id }
      recipient_id: { category: user.unique_id }
      words: { category: user.content }
  letters: # missing-subject, missing-retention
    columns:
      id: { category: none, note: a number }
      words: { category: user.content }
  convictions:
    of: { patient: patient_id }
    purposes: [care]
    columns:
      id: { category: none, note: a number }
      patient_id: { category: user.unique_id }
      offence: { category: user.criminal_history } # criminal-without-law
  diagnoses:
    of: { pateint: patient_id } # unknown-subject
    purposes: [care]
    retention: { after: words, keep: 10y, then: delete } # retention-column
    columns:
      id: { category: none, note: a number }
      patient_id: { category: user.unique_id }
      words: { category: user.health_and_medical } # special-without-condition
  posts: # authors-only
    of: { patient: { path: author_id, meaning: created_by } }
    purposes: [care]
    triggers:
      gone_trigger: { writes_to: statistics.daily, note: a number for each day } # vanished-trigger
    columns:
      id: { category: none, note: a number }
      author_id: { category: user.unique_id }
      words: { category: user.content }
  sealed: # table-unreadable
    columns:
      id: { category: none, note: a number }
  visits:
    of: { patient: patient_id }
    columns:
      id: { category: none, note: a number }
      patient_id: { category: user.unique_id }
  visits_1: # partition-in-map
    note: a part
  everybody: # view-in-map
    note: a view
  gone: # vanished-table
    note: a table that was
outside:
  xrays: { kind: files, of: patient, at: /srv/xrays, export: false, erase: true } # outside-path
`;
