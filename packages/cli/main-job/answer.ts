import { rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { loadMap } from '@safekeep/capabilities/datamap';
import { firstPeople } from '@safekeep/capabilities/requests';
import { shellWord, type Subject } from '@safekeep/core';
import { privateFiles } from '@safekeep/files';
import { readNote, writeNote } from '../home/note.ts';
import { count } from '../terminal/progress.ts';
import { groundIn } from './ground.ts';
import { withoutPeople } from './protect.ts';
import type { MainJob, Step } from './step.ts';
import { workAtTheDesk } from './practice-desk.ts';

const { makeFolder } = privateFiles();

export const workAsApplication: Step = {
  name: 'work',
  run: async ({ context, isSample }) => {
    if (!isSample) return 'your application goes on as before; what it changes is in the log from now on';
    const { erased } = (await readNote(context)) ?? {};
    const { changed, opened } = await workAtTheDesk(context, erased?.person ?? null);
    return `an application changed ${changed} records through the SDK and read ${opened} encrypted values in clear`;
  },
};

type Counted = { readonly table: string; readonly rows: number };
type Exported = { readonly subject: string; readonly rows: number; readonly tables: readonly Counted[]; readonly file: string };

export const answerAccess: Step = {
  name: 'export',
  run: async (job) => {
    const note = await readNote(job.context);
    if (!job.isSample && note?.exported !== undefined && existsSync(note.exported.file)) {
      const { person, file } = note.exported;
      job.files.set('export', file);
      return `${person} was exported before, into ${file}; as it stands today: \`npx safekeep subject export ${shellWord(person)}\``;
    }
    const { inform: person } = await twoPeople(job);
    if (person === undefined) return `nobody is exported: ${await nobodyToAnswer(job)}`;
    // Of the made-up practice in clear, to be looked at; somebody real leaves the sealed store only when a person asks for it.
    const path = join(await folder(job, 'exports'), `${fileNameOf(person)}.zip`);
    // Of the run before.
    if (job.isSample) await rm(path, { force: true });
    const { result } = await job.perform<Exported>('subject export', { subject: person, ...(job.isSample ? { out: path } : {}) });
    job.files.set('export', result.file);
    const made = `${person}: ${extent(result.tables)}, signed`;
    if (job.isSample) return `${made}, in ${result.file}`;
    await writeNote(job.context, { ...note, source: job.source, exported: { person, file: result.file } });
    return `${made} and sealed; \`npx safekeep subject open-export ${shellWord(result.file)} --out FILE\` gives it out`;
  },
};

type ErasurePlan = {
  readonly hash: string;
  readonly tables: readonly Counted[];
  readonly blocked: readonly unknown[];
  readonly erasedBefore: { readonly at: string; readonly certificate: string } | null;
  readonly estimate: { readonly chunks: number };
};
type Erased = { readonly certificate: string | null; readonly counts: Readonly<Record<string, number>> };

export const answerErasure: Step = {
  name: 'erase',
  run: async (job) => {
    const note = await readNote(job.context);
    const before = note?.erased;
    if (before !== undefined && existsSync(before.certificate) && job.erase === undefined) {
      job.files.set('certificate', before.certificate);
      return `${before.person} was erased before; the certificate lies in ${before.certificate}`;
    }
    const { forget: person } = await twoPeople(job);
    if (person === undefined) return `nobody is erased: ${await nobodyToAnswer(job)}`;
    const { result: plan } = await job.perform<ErasurePlan>('subject erase', { subject: person, plan: true });
    const planned = `${person}: ${extent(plan.tables)}`;
    if (plan.erasedBefore !== null && !job.isSample) {
      const { at, certificate } = plan.erasedBefore;
      const paper = join(job.context.home, 'certificates', certificate);
      // Of another home's erasure it lies there.
      if (existsSync(paper)) job.files.set('certificate', paper);
      return `${person} was erased before, on ${at} (${certificate}); what came since: \`npx safekeep subject erase ${shellWord(person)} --plan\``;
    }
    if (plan.blocked.length > 0)
      return `${planned}; ${plan.blocked.length} thing(s) stand in the way: \`npx safekeep subject erase ${shellWord(person)} --plan\``;
    if (job.erase === undefined && !job.isSample)
      return `${planned}, planned only. To carry it out: \`npx safekeep subject erase ${shellWord(person)} --approve ${plan.hash}\``;
    const { result } = await job.perform<Erased>('subject erase', { subject: person, approve: plan.hash });
    if (result.certificate === null) return `${planned}; something of them was found again after it: there is no certificate`;
    job.files.set('certificate', result.certificate);
    if (job.isSample)
      await writeNote(job.context, { ...note, source: job.source, erased: { person, certificate: result.certificate } });
    const treated = Object.entries(result.counts).map(([what, of]) => `${count(of)} ${what}`);
    const how = plan.estimate.chunks === 1 ? 'in one transaction' : `in ${plan.estimate.chunks} steps`;
    return `${planned}: ${treated.join(', ')}, ${how}, counted again; certificate in ${result.certificate}`;
  },
};

/** Of the tables in which something of the person stands; a plan may have several lines for one. */
function extent(tables: readonly Counted[]): string {
  const filled = tables.filter(({ rows }) => rows > 0);
  const rows = filled.reduce((sum, table) => sum + table.rows, 0);
  return `${count(rows)} row(s) of ${new Set(filled.map(({ table }) => table)).size} table(s)`;
}

/** Somebody to inform and another to erase: of the kind whose data fills most tables, and that anybody is of. */
async function twoPeople(job: MainJob): Promise<{ readonly forget: string | undefined; readonly inform: string | undefined }> {
  const ground = await groundIn(job.context);
  const { map } = ground;
  const reach = ({ name }: Subject): number =>
    [...map.tables.values()].filter(({ of }) => of.some((edge) => edge.subject === name && edge.meaning !== 'created_by')).length;
  const kinds = [...map.subjects.values()].toSorted((a, b) => reach(b) - reach(a));
  for (const subject of kinds) {
    const people = await firstPeople(ground, subject, 2);
    const others = people.filter((person) => person !== job.erase);
    if (people.length > 0) return { forget: job.erase ?? people[0], inform: others.at(-1) };
  }
  return { forget: job.erase, inform: undefined };
}

/** Why there is nobody. */
async function nobodyToAnswer({ context }: MainJob): Promise<string> {
  const { map } = await loadMap(context.mapFile);
  return map.subjects.size === 0 ? `the map names no table of people${withoutPeople(map)}` : 'the tables of people are empty';
}

async function folder({ context }: MainJob, name: string): Promise<string> {
  const path = join(context.home, name);
  await makeFolder(path);
  return path;
}

function fileNameOf(person: string): string {
  return person.replaceAll(/[^\w-]+/g, '-');
}
