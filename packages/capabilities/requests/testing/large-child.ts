// Exports, plans or erases a very large person in a process of its own, as the CLI does, and says how much memory that took.
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { keepNurserySmall } from '@safekeep/postgres';
import { executeErasure } from '../actions/execute-erasure.ts';
import { exportSubject } from '../actions/export-subject.ts';
import { parseSubject } from '../actions/ground.ts';
import { planErasure } from '../actions/plan-erasure.ts';
import { childGround } from './child-ground.ts';

keepNurserySmall();
const [folder = '', url = '', action = '', subject = '', hash = ''] = process.argv.slice(2);
const { ground, close } = await childGround(folder, url);
const order = parseSubject(ground.map, subject);
const tell = (said: object): void => void writeSync(1, `${JSON.stringify(said)}\n`);
if (action === 'export') {
  const exporting = { ...ground, directory: folder, key: Buffer.alloc(32, 1) };
  let told = 0;
  const done = await exportSubject(
    exporting,
    { ...order, format: 'zip', window: { from: null, to: null }, out: join(folder, 'export.zip') },
    { onProgress: () => void (told += 1) },
  );
  tell({ rows: done.rows, told });
} else if (action === 'plan') {
  const plan = await planErasure(ground, { ...order, mode: 'anonymise' }, 'ann');
  tell({ hash: plan.hash, rows: plan.estimate.rows, chunks: plan.estimate.chunks });
} else {
  const done = await executeErasure(ground, order, { hash, by: 'ben' }, { onProgress: (rows, total) => tell({ rows, total }) });
  tell({ state: done.state, masked: done.counts['masked'] });
}
await close();
// Linux counts in KiB: https://nodejs.org/api/process.html#processresourceusage
tell({ peakBytes: process.resourceUsage().maxRSS * 1024 });
