// Stands for psql in the guides, which the machine need not have: -f FILE and -c STATEMENT against a URL, the guide's own by default.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import pg from 'pg';

const { values, positionals } = parseArgs({
  options: {
    file: { type: 'string', short: 'f' },
    command: { type: 'string', short: 'c' },
    quiet: { type: 'boolean', short: 'q' },
  },
  allowPositionals: true,
});
const client = new pg.Client({ connectionString: positionals[0] ?? process.env['SAFEKEEP_DATABASE_URL'] });
await client.connect();
await client.query(values.command ?? readFileSync(values.file ?? '', 'utf8'));
await client.end();
