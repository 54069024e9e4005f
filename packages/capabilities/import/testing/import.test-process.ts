import { Secret } from '@safekeep/core';
import { openDatabase } from '@safekeep/postgres';
import { importSqlite } from '../actions/import-sqlite.ts';
import { importContext, importOptions } from './workbench.ts';

// An import in a process of its own, so that a test can kill it, or learn how much memory it took (in kB, the last line).
const [file = '', home = ''] = process.argv.slice(2);
const database = await openDatabase(new Secret(process.env['SAFEKEEP_TEST_URL'] ?? ''));
process.stdout.write('ready\n');
await importSqlite(importContext(database, home), importOptions(file, { replace: true }));
await database.close();
process.stdout.write(`${process.resourceUsage().maxRSS}\n`);
