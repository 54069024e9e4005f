// Stands for sqlite3 where a guide begins with a SQLite file: sqlite3 FILE SQL-FILE.
import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

const [file = '', statements = ''] = process.argv.slice(2);
const database = new DatabaseSync(file);
database.exec(readFileSync(statements, 'utf8'));
database.close();
