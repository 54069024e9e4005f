import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { exportSubject, parseSubject } from '@safekeep/capabilities/requests';
import { keepNurserySmall } from '@safekeep/postgres';
import { defineBench, type ContenderContext, type Prepared } from './measure/bench.ts';
import { debianPostgres } from './postgres/debian-cluster.ts';
import { makeFolder, removeFolder } from './postgres/folder.ts';
import { erasureGround, stagePeople, type PeopleFixture } from './postgres/people-stage.ts';

async function ours({ fixture, size }: ContenderContext<PeopleFixture>): Promise<Prepared> {
  // As the CLI does at its start.
  keepNurserySmall();
  const { ground, close } = await erasureGround(fixture.url);
  const folder = await makeFolder();
  const out = join(folder, 'export.zip');
  const exporting = { ...ground, directory: folder, key: randomBytes(32) };
  return {
    run: async () => {
      const { rows } = await exportSubject(exporting, {
        ...parseSubject(ground.map, 'person:1'),
        format: 'zip',
        window: { from: null, to: null },
        out,
      });
      if (rows !== size + 1) throw new Error(`${rows} rows exported`);
      return { units: rows };
    },
    afterRun: () => rm(out),
    close: async () => {
      await close();
      await removeFolder(folder);
    },
  };
}

export const bench = defineBench<PeopleFixture>({
  question: 'How many rows a second does the export of one person write as a signed ZIP of JSON and CSV, and in how much memory?',
  unit: 'rows',
  sizes: { small: 50_000, medium: 200_000, large: 1_000_000 },
  warmups: 1,
  runs: 5,
  stage: ({ size }) => stagePeople({ rows: size, large: 1, each: size }),
  contenders: [{ name: 'safekeep', kind: 'ours', isolate: true, available: debianPostgres.available, prepare: ours }],
  limits: [
    {
      contender: 'safekeep',
      measure: 'unitsPerSecond',
      relation: 'at-least',
      bound: 50_000,
      source: 'requests.md: export >= 50,000 rows/s',
    },
    {
      contender: 'safekeep',
      measure: 'peakRssBytes',
      relation: 'at-most',
      bound: 200 * 1024 * 1024,
      source: 'requests.md: RSS <= 200 MB',
    },
  ],
});
