import assert from 'node:assert/strict';
import { it } from 'node:test';
import { measured, readPage, withTables } from './tables.ts';

it('the page on accuracy has the figures that are measured now', async () => {
  const page = await readPage();
  // Alarms are counted in installed packages, which differ by the machine.
  const tables = await measured({ alarms: false });
  assert.equal(withTables(page, tables), page, 'write it anew: node packages/capabilities/discovery/text/training/report.ts');
});
