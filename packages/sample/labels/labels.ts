import { clinicTables } from './clinic.ts';
import { houseTables } from './house.ts';
import type { Labels } from './model.ts';
import { moneyTables } from './money.ts';
import { peopleTables } from './people.ts';
import { traceTables } from './traces.ts';

/** The truth about the sample practice: what each column holds and whose each row is. The same for every size and seed. */
export const labels: Labels = {
  subjects: {
    patient: {
      table: 'patients',
      key: 'id',
      label: 'full_name',
      findBy: ['chart_no', 'email', 'phone', 'mobile', 'ssn', 'portal_login', 'full_name', 'native_name'],
    },
    staff: { table: 'staff', key: 'id', label: 'last_name', findBy: ['user', 'email', 'phone'] },
  },
  tables: { ...houseTables, ...peopleTables, ...clinicTables, ...moneyTables, ...traceTables },
};
