import { plainly, rowKey, type TableLabel } from './model.ts';

/** What belongs to the house: nobody's rows. */
export const houseTables: Readonly<Record<string, TableLabel>> = {
  app_settings: {
    of: [],
    traits: ['without-rowid'],
    columns: { key: plainly(), value: plainly(), changed_at: plainly('wall-time') },
  },
  sync_state: {
    of: [],
    traits: ['strict'],
    columns: {
      device: plainly(),
      last_change_token: plainly('beyond-2^53'),
      pending: plainly(),
      last_seen_at: plainly('utc-time'),
    },
  },
  rooms: {
    of: [],
    traits: ['lookup'],
    columns: { id: rowKey, name: plainly(), floor: plainly(), has_xray: plainly('boolean-number') },
  },
  postcodes: {
    of: [],
    traits: ['lookup', 'composite-key', 'without-rowid'],
    columns: { country: plainly(), postcode: plainly(), city: plainly(), state: plainly('empty-for-null') },
  },
  teeth: { of: [], traits: ['lookup'], columns: { number: plainly(), name: plainly() } },
  procedures: {
    of: [],
    traits: ['lookup'],
    columns: { code: plainly(), name: plainly('lying-type'), price: plainly('money-numeric'), active: plainly('boolean-text') },
  },
  // An organisation's number and mailbox: they look personal, and are not (GDPR recital 14).
  insurers: {
    of: [],
    traits: ['lookup'],
    columns: { id: rowKey, name: plainly(), phone: plainly(), email: plainly(), claims_url: plainly() },
  },
};
