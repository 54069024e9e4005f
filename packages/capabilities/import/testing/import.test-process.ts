import { Secret, systemClock } from '@safekeep/core';
import { createSigningKey, signingKeyFromPem } from '@safekeep/crypto';
import { openDatabase } from '@safekeep/postgres';
import { importSqlite } from '../actions/import-sqlite.ts';
import { importOptions } from './workbench.ts';

// An import in a process of its own, so that a test can kill it, or learn how much memory it took (in kB, the last line).
const [file = '', home = ''] = process.argv.slice(2);
const database = await openDatabase(new Secret(process.env['SAFEKEEP_TEST_URL'] ?? ''));
process.stdout.write('ready\n');
await importSqlite(
  {
    home,
    tenant: 'default',
    clock: systemClock,
    signal: new AbortController().signal,
    progress: () => ({ update: () => undefined, end: () => undefined }),
    say: () => undefined,
    database,
    signer: signingKeyFromPem(createSigningKey(), 'test'),
  },
  importOptions(file, { replace: true }),
);
await database.close();
process.stdout.write(`${process.resourceUsage().maxRSS}\n`);
