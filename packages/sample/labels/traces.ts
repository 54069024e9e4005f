import { personal, personKey, plainly, rowKey, type ColumnLabel, type TableLabel } from './model.ts';

const SEARCHED_NOTES = {
  subject: 'patient',
  path: 'rowid -> clinical_notes.patient_id',
  meaning: 'owns',
  matches: { table: 'clinical_notes', column: 'id' },
} as const;

/** One of the tables SQLite keeps behind a full-text index. */
function shadow(columns: Readonly<Record<string, ColumnLabel>>): TableLabel {
  return { of: [], traits: ['search-index'], columns };
}

/** What people say and leave behind. */
export const traceTables: Readonly<Record<string, TableLabel>> = {
  messages: {
    of: [
      { subject: 'patient', path: 'sender_id', meaning: 'shared' },
      { subject: 'patient', path: 'recipient_id', meaning: 'shared' },
      { subject: 'staff', path: 'staff_id', meaning: 'created_by' },
    ],
    traits: ['shared-row', 'self-reference', 'soft-delete'],
    columns: {
      id: rowKey,
      sender_id: personKey,
      recipient_id: personKey,
      staff_id: personKey,
      reply_to_id: rowKey,
      subject: { category: 'user.content.private', or: ['none'], traits: ['free-text', 'lying-type', 'empty-for-null'] },
      body: { category: 'user.content.private', or: ['user.health_and_medical'], traits: ['free-text', 'third-party'] },
      sent_at: plainly('mixed-time'),
      read_at: plainly('mixed-time'),
      deleted_at: plainly('mixed-time'),
    },
  },
  voice_commands: {
    of: [
      { subject: 'patient', path: 'subject_id', meaning: 'about' },
      { subject: 'staff', path: 'actor_id', meaning: 'created_by' },
    ],
    traits: ['strict'],
    columns: {
      id: rowKey,
      session: plainly(),
      actor_id: personKey,
      subject_id: personKey,
      spoken_at: plainly('unix-milliseconds'),
      intent: plainly(),
      transcript: { category: 'user.content.private', or: ['user.behavior', 'user.health_and_medical'], traits: ['free-text'] },
      confidence: plainly(),
    },
  },
  login_log: {
    of: [{ subject: 'staff', path: '"user"', meaning: 'owns', matches: { table: 'staff', column: 'user' } }],
    traits: ['no-key'],
    columns: {
      at: plainly('unix-seconds'),
      user: personal('user.account.username', 'reserved-word'),
      ip_address: personal('user.device.ip_address'),
      user_agent: { category: 'user.device', or: ['none'], traits: ['empty-for-null'] },
      success: plainly('boolean-number'),
    },
  },
  notes_search: {
    of: [SEARCHED_NOTES],
    traits: ['search-index'],
    columns: { body: { category: 'user.health_and_medical', or: ['user.content.private'], traits: ['free-text', 'third-party'] } },
  },
  // The words of the notes, by word and not by patient.
  notes_search_data: shadow({
    id: rowKey,
    block: { category: 'user.health_and_medical', or: ['user.content.private'], traits: ['blob'] },
  }),
  notes_search_idx: shadow({
    segid: rowKey,
    term: { category: 'user.health_and_medical', or: ['user.content.private'], traits: ['blob'] },
    pgno: rowKey,
  }),
  notes_search_docsize: shadow({ id: rowKey, sz: plainly() }),
  notes_search_config: shadow({ k: plainly(), v: plainly() }),
};
