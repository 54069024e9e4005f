import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diffMaps } from './diff.ts';
import { mapOf } from './testing/clinic.ts';

const before = mapOf({
  purposes: { care: { use: 'essential.service', basis: 'contract' } },
  subjects: { patient: { table: 'patients', key: 'id' } },
  tables: {
    patients: {
      columns: {
        'id': { category: 'user.unique_id' },
        'Full name': { category: 'user.name' },
        'old': { category: 'none', note: 'x' },
      },
    },
  },
});

test('a difference tells what came, what went and what is said otherwise', () => {
  const after = mapOf({
    purposes: { care: { use: 'essential.service', basis: 'consent' } },
    subjects: { patient: { table: 'public.patients', key: 'id', label: 'Full name' } },
    tables: {
      patients: { columns: { 'Full name': { category: 'user.name', protect: 'client' }, 'id': { category: 'user.unique_id' } } },
      bookings: { of: { patient: 'patient_id' }, columns: { id: { category: 'user.unique_id' } } },
    },
  });
  assert.deepEqual(
    diffMaps(before, after).map(({ text }) => text),
    [
      'purpose care: basis contract -> consent',
      'subject patient: label (nothing) -> Full name',
      'public.patients."Full name": protect none -> client',
      'public.patients.old: removed (none)',
      'public.bookings: added',
      'public.bookings.id: added (user.unique_id)',
    ],
  );
});

test('order, spelling of names and defaults written out are no difference', () => {
  const same = mapOf({
    tenant: 'fixed',
    audit: { writes: true, actor: 'warn' },
    purposes: { care: { basis: 'contract', use: 'essential.service' } },
    subjects: { patient: { key: ['id'], table: 'public.patients' } },
    tables: {
      'public.patients': {
        columns: {
          'old': { note: 'x', category: ['none'] },
          '"Full name"': { category: ['user.name'], protect: 'none', free_text: false },
          'id': { category: 'user.unique_id', search: [] },
        },
      },
    },
  });
  assert.deepEqual(diffMaps(before, same), []);
});
