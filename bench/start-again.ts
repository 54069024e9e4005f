import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stopEmbedded } from '@safekeep/postgres';
import { defineBench, type Prepared } from './measure/bench.ts';
import { makeFolder, removeFolder } from './postgres/folder.ts';

const BIN = join(import.meta.dirname, '..', 'packages', 'cli', 'bin', 'safekeep.mjs');
const run = promisify(execFile);

/** The main job on the sample practice, done once; what is measured finds everything done. */
async function again(): Promise<Prepared> {
  const folder = await makeFolder();
  const start = async (): Promise<void> => {
    const home = join(folder, 'home');
    await run(process.execPath, [BIN, 'start', '--no-serve', '--json', '--home', home, '--map', join(folder, 'datamap.yaml')], {
      cwd: folder,
      maxBuffer: 64 * 2 ** 20,
    });
  };
  await start();
  return {
    run: async () => {
      await start();
      return { units: 1 };
    },
    close: async () => {
      await stopEmbedded(join(folder, 'home'));
      await removeFolder(folder);
    },
  };
}

export const bench = defineBench({
  question: 'How long does a second `npm start` take on the sample practice, to its report, with everything done before?',
  unit: 'starts',
  sizes: { small: 1, medium: 1, large: 1 },
  runs: 5,
  contenders: [{ name: 'safekeep start, again', kind: 'ours', prepare: again }],
  limits: [
    {
      contender: 'safekeep start, again',
      measure: 'seconds',
      relation: 'at-most',
      bound: 5,
      source: 'issue 2: a second `npm start` is ready in under 5 s',
    },
  ],
});
