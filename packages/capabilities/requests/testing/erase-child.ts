// Erases one person; the parent kills it at any moment.
import { writeSync } from 'node:fs';
import { executeErasure } from '../actions/execute-erasure.ts';
import { parseSubject } from '../actions/ground.ts';
import { childGround } from './child-ground.ts';

const [folder = '', url = '', subject = '', hash = ''] = process.argv.slice(2);
const { ground, close } = await childGround(folder, url, { rowsAtOnce: 50 });
// Synchronous: what was begun is told before the kill.
writeSync(1, 'begins\n');
const done = await executeErasure(ground, parseSubject(ground.map, subject), { hash, by: 'ben' });
writeSync(1, `${done.state}\n`);
await close();
