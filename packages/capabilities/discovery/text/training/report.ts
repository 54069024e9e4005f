// Measures how well `detect` finds and writes it into the page: `node packages/capabilities/discovery/text/training/report.ts`.
import { writeFile } from 'node:fs/promises';
import { PAGE, measured, readPage, withTables } from './tables.ts';
import { print } from './score.ts';

await writeFile(PAGE, withTables(await readPage(), await measured({ alarms: true })));
print(`${PAGE}: written`);
