import { userInfo } from 'node:os';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Type } from '@safekeep/core/schema';
import { parseId, SafekeepError, parseDay } from '@safekeep/core';
import { command, type Command, type CommandContext, type Frozen, type Ink, type Outcome } from '../capability.ts';
import { loadMap } from '../datamap/index.ts';
import { ledgerFor } from '../ledger/index.ts';
import { runCanary } from './actions/canary.ts';
import { exportsPart } from './actions/delete-exports.ts';
import { makeApproverKey, openApproverKey, readApprovers } from './actions/approver-keys.ts';
import { eraseDue, planDue } from './actions/due-erasures.ts';
import { endErasure } from './actions/end-erasure.ts';
import type { Actor } from './actions/erasing.ts';
import { executeErasure } from './actions/execute-erasure.ts';
import { exportKey, knownExportKey, openExport } from './actions/open-export.ts';
import { exportSubject } from './actions/export-subject.ts';
import { findSubjects } from './actions/find-subject.ts';
import { findPerson, groundOf, type ErasureGround, type Ground } from './actions/ground.ts';
import { checkErasures } from './actions/check-erasures.ts';
import { listErasures, runErasures } from './actions/open-erasures.ts';
import { planErasure } from './actions/plan-erasure.ts';
import { replayLedger } from './actions/replay-ledger.ts';
import { verifyFile } from './actions/verify-file.ts';
import { deleteExpired } from './export/kept.ts';
import {
  CanaryText,
  DuePlan,
  EndedText,
  EndReason,
  ErasureDone,
  ErasurePlan,
  ErasuresText,
  ExportDone,
  FoundText,
  ReplayText,
  type OpenPorts,
} from './model.ts';

const FOUND = 20;
const FOUND_AT_MOST = 200;

const subjectArgument = { key: 'subject', label: 'ID', description: 'type:key, as `subject find` shows it' };
const SubjectInput = Type.String({ minLength: 3, maxLength: 2000 });
const By = Type.Optional(
  Type.String({ minLength: 1, maxLength: 200, description: 'who decides; the user of this system unless said otherwise' }),
);

const signWith = Type.Optional(
  Type.String({ minLength: 1, description: 'the file of your approver key: it proves who plans or approves' }),
);

/** Whose key signs is who it is. */
async function actorOf(claimed: string | undefined, keyFile: string | undefined): Promise<Actor> {
  const signer = keyFile === undefined ? undefined : await openApproverKey(keyFile);
  return { by: signer?.keyName ?? claimed ?? userInfo().username, signer };
}

export function requestCommands(openPorts: OpenPorts): readonly Command[] {
  return [
    findCommand(openPorts),
    exportCommand(openPorts),
    openExportCommand,
    expireExportsCommand,
    eraseCommand(openPorts),
    approverKeyCommand,
    erasuresCommand(openPorts),
    endErasureCommand(openPorts),
    canaryCommand(openPorts),
    replayCommand(openPorts),
    verifyCommand,
  ];
}

function findCommand(openPorts: OpenPorts): Command {
  return command({
    name: 'subject find',
    summary: 'find people by a name, an address, a number or their key',
    positionals: [
      {
        key: 'query',
        label: 'QUERY',
        description: 'the value as a whole, or a part of it of three characters or more (two in Chinese, Japanese or Korean)',
      },
    ],
    input: Type.Object({
      query: Type.String({ minLength: 1, maxLength: 500 }),
      type: Type.Optional(Type.String({ description: 'only people of this kind: patient' })),
      reveal: Type.Optional(Type.Boolean({ description: 'show names in full instead of initials' })),
      limit: Type.Integer({ default: FOUND, minimum: 1, maximum: FOUND_AT_MOST, description: 'people at most' }),
    }),
    output: FoundText,
    example: 'safekeep subject find ada@example.org',
    notSo: 'nobody is found',
    event: { kind: 'access', found: notErased },
    run: async (context, { query, type, reveal = false, limit }) => {
      const order = { limit, reveal, ...(type === undefined ? {} : { type }) };
      const found = await withGround(context, openPorts, (ground) => findSubjects(ground, query, order));
      return { result: found, ok: found.matches.length > 0 };
    },
    render: ({ matches, ambiguous, more, searched }, ink) =>
      matches.length === 0
        ? `Nobody was found. Looked for ${searched.join('; ') || 'nobody: the map has no subjects'} (find_by in the map).`
        : [
            ...matches.map(
              ({ subject, label, matched, exact, rows, erased }) =>
                `${ink.strong(subject)}  ${label ?? ''}  ${exact ? '' : ink.dim('a part of ')}${matched.join(', ')}${rows === null ? '' : `  ${rows} row(s)`}${erased ? ink.dim('  erased') : ''}`,
            ),
            ...(ambiguous ? [ink.warn('Several people match. Make sure whom you mean before you export or erase anything.')] : []),
            ...(more ? [ink.dim('There are more; give more of the value.')] : []),
          ].join('\n'),
  });
}

/** Of the people shown; one who is erased is not named again. What was looked for stands nowhere. */
function notErased({ matches }: Frozen<FoundText>): readonly string[] {
  return matches.filter(({ erased }) => !erased).map(({ subject }) => subject);
}

function exportCommand(openPorts: OpenPorts): Command {
  return command({
    name: 'subject export',
    summary: 'write everything about a person to a file, for the person',
    positionals: [subjectArgument],
    input: Type.Object({
      subject: SubjectInput,
      format: Type.Union([Type.Literal('zip'), Type.Literal('json'), Type.Literal('csv'), Type.Literal('pdf')], {
        default: 'zip',
        description: 'zip: JSON, CSV and a signed manifest; csv: a zip of CSV files; json and pdf: one file',
      }),
      from: Type.Optional(Type.String({ description: 'only what is dated this day or later (YYYY-MM-DD)' })),
      to: Type.Optional(Type.String({ description: 'and up to and including this day' })),
      out: Type.Optional(Type.String({ description: 'the file to write; without it the export is kept sealed in the home' })),
    }),
    output: ExportDone,
    example: 'safekeep subject export patient:42 --out patient-42.zip',
    event: { kind: 'access', tells: ['export', 'expired'], names: true },
    run: async (context, { subject: text, format, from, to, out }) => {
      const window = { from: dayIn(from), to: dayAfter(dayIn(to)) };
      const exported = await withGround(context, openPorts, async (ground) => {
        const { person, subject } = await findPerson(ground, text);
        const key = await exportKey(context.home);
        const progress = context.progress('exporting', { unit: 'rows' });
        return await exportSubject(
          { ...ground, signer: await context.signer(), directory: exportsOf(context), key },
          { person, subject, format, window, ...(out === undefined ? {} : { out }) },
          { onProgress: progress.update, signal: context.signal },
        ).finally(() => progress.end());
      });
      context.log.info('subject-exported', { rows: exported.rows, tables: exported.tables.length });
      return { result: exported };
    },
    render: ({ subject, format, rows, tables, file, sealed, expiresAt, withheld, unconfirmed, elsewhere }, ink) =>
      [
        `${ink.good('Exported')} ${subject}: ${rows} row(s) of ${tables.filter((table) => table.rows > 0).length} table(s) to ${file}`,
        ...(sealed
          ? [ink.dim(`It is sealed; give it out with subject open-export ${file} --out FILE, before ${expiresAt ?? ''}.`)]
          : []),
        ...(format === 'csv' && !sealed ? [ink.dim('It is a ZIP archive with a CSV file for each table.')] : []),
        ...((format === 'json' || format === 'pdf') && !sealed
          ? [ink.dim(`What proves it lies beside: certificate verify ${file}.manifest.json`)]
          : []),
        ...elsewhere.map(({ place, kind }) =>
          ink.warn(`  not in it: ${place} (${kind}), which the map wants to be exported too: add it by hand`),
        ),
        ...unconfirmed.map((name) =>
          ink.warn(`  it tells the person the purpose ${name}, which a scan proposed: confirm it in the map, then export again`),
        ),
        ...withheld.map(({ table, column, reason }) => ink.dim(`  left out: ${table}.${column}, ${reason}`)),
      ].join('\n'),
  });
}

const openExportCommand = command({
  name: 'subject open-export',
  summary: 'give out an export that was kept sealed in the home',
  positionals: [{ key: 'file', label: 'FILE', description: 'as `subject export` named it' }],
  input: Type.Object({ file: Type.String({ minLength: 1 }), out: Type.String({ minLength: 1, description: 'the file to write' }) }),
  output: Type.Object({
    file: Type.String(),
    sizeBytes: Type.Integer(),
    subject: Type.Union([Type.String(), Type.Null()], {
      description: 'whose it is; null where a file of an older Safekeep does not say',
    }),
  }),
  example: 'safekeep subject open-export .safekeep/exports/01994b0e.zip.sealed --out patient-42.zip',
  event: { kind: 'access', found: ({ subject }) => (subject === null ? [] : [subject]) },
  run: async (context, { file, out }) => ({ result: await openExport(await knownExportKey(context.home), file, out) }),
  render: ({ file, sizeBytes, subject }, ink) =>
    `${ink.good('Opened')}${subject === null ? '' : ` the export of ${subject}`}: ${file} (${sizeBytes} bytes)`,
});

const expireExportsCommand = command({
  name: 'subject expire-exports',
  summary: 'delete exports that were kept sealed for 30 days and that nobody fetched',
  input: Type.Object({}),
  output: Type.Object({ expired: Type.Integer() }),
  example: 'safekeep subject expire-exports',
  event: { kind: 'retention', tells: ['expired'] },
  run: async (context) => ({ result: { expired: await deleteExpired(exportsOf(context), context.clock.now()) } }),
  render: ({ expired }) => `${expired} export(s) deleted.`,
});

function exportsOf({ home }: CommandContext): string {
  return join(home, 'exports');
}

function dayIn(text: string | undefined): Date | null {
  if (text === undefined) return null;
  const day = parseDay(text);
  if (day === undefined) throw new SafekeepError('usage', { problem: '--from and --to are days (YYYY-MM-DD).' });
  return day;
}

function dayAfter(day: Date | null): Date | null {
  return day === null ? null : new Date(day.getTime() + 86_400_000);
}

function eraseCommand(openPorts: OpenPorts): Command {
  return command({
    name: 'subject erase',
    summary: 'show what erasing a person would do, or do what was shown and approved',
    positionals: [{ ...subjectArgument, optional: true }],
    input: Type.Object({
      subject: Type.Optional(SubjectInput),
      due: Type.Optional(
        Type.Boolean({ description: 'in place of ID: everybody of whom a duty kept something, and it has ended' }),
      ),
      plan: Type.Optional(Type.Boolean({ description: 'show the plan and its hash; nothing is changed' })),
      approve: Type.Optional(
        Type.String({ pattern: '^[0-9a-f]{64}$', description: 'the hash of the plan that is to be carried out' }),
      ),
      mode: Type.Union([Type.Literal('anonymise'), Type.Literal('delete')], {
        default: 'anonymise',
        description: 'with --plan: mask what is personal and keep the rows, or delete the rows that die with the person',
      }),
      vacuum: Type.Optional(
        Type.Boolean({ description: 'with --approve: VACUUM the tables too, so that old versions of rows are gone' }),
      ),
      by: By,
      signWith,
    }),
    output: Type.Union([ErasurePlan, ErasureDone, DuePlan]),
    example: 'safekeep subject erase patient:42 --plan',
    notSo: 'with --plan it cannot be carried out as it is; with --approve something is still there, and no certificate is given',
    event: { kind: 'compliance', planned: 'planned', tells: ['erasure', 'state'] },
    run: async (context, { subject: text, due = false, plan = false, approve, mode, vacuum = false, by: claimed, signWith }) => {
      const actor = await actorOf(claimed, signWith);
      if (plan === (approve !== undefined)) throw new SafekeepError('usage', { problem: 'Give either --plan or --approve HASH.' });
      if (due === (text !== undefined)) throw new SafekeepError('usage', { problem: 'Give either ID or --due.' });
      if (due && mode === 'delete')
        throw new SafekeepError('usage', {
          problem: 'With --due each erasure has the mode of the one that left something: give no --mode.',
        });
      if (text === undefined) return await runDue(context, openPorts, { approve, vacuum, actor });
      return await withLedger(context, openPorts, async (ground) => {
        const { person, subject } = await findPerson(ground, text);
        if (approve === undefined) {
          const progress = context.progress('planning', { unit: 'rows' });
          const looking = { signer: actor.signer, signal: context.signal, onProgress: progress.update };
          const made = await planErasure(ground, { person, subject, mode }, actor.by, looking).finally(() => progress.end());
          return { result: made, ok: made.blocked.length === 0 && !made.holds.some(({ wholePerson }) => wholePerson) };
        }
        await context.confirm('Erasing a person');
        const progress = context.progress('erasing', { unit: 'rows' });
        const done = await executeErasure(
          ground,
          { person, subject },
          { ...actor, hash: approve },
          { vacuum, signal: context.signal, onProgress: progress.update },
        ).finally(() => progress.end());
        const { deleted = 0, masked = 0, detached = 0, kept = 0 } = done.counts;
        context.log.info('subject-erased', { deleted, masked, detached, kept });
        return { result: done, ok: done.state !== 'unfulfilled' };
      });
    },
    render: (result, ink) =>
      'persons' in result ? dueText(result, ink) : 'hash' in result ? planText(result, ink) : doneText(result, ink),
  });
}

/** Without an approval it is shown only. */
async function runDue(
  context: CommandContext,
  openPorts: OpenPorts,
  { approve: hash, vacuum, actor }: { readonly approve: string | undefined; readonly vacuum: boolean; readonly actor: Actor },
): Promise<Outcome<DuePlan>> {
  const result = await withLedger(context, openPorts, (ground) =>
    hash === undefined
      ? planDue(ground, actor)
      : eraseDue(
          ground,
          { ...actor, hash },
          {
            vacuum,
            signal: context.signal,
            confirm: async (persons) => await context.confirm(`Erasing what duties have kept of ${named(persons)}`),
          },
        ),
  );
  const good = hash === undefined ? ['planned', 'not-yet'] : ['done', 'kept', 'outside', 'held', 'not-yet'];
  return { result, ok: result.persons.every(({ state, error }) => error === null && good.includes(state)) };
}

const NAMED_AT_MOST = 10;

function named(persons: readonly string[]): string {
  const more = persons.length - NAMED_AT_MOST;
  return `${persons.slice(0, NAMED_AT_MOST).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function dueText({ hash, persons, more, next }: Frozen<DuePlan>, ink: Ink): string {
  return [
    ...persons.flatMap(({ subject, erasure, due, plan, state, doubt, error }) => [
      `${ink.strong(subject)}  ${state === 'done' ? ink.good(state) : ink.warn(state)}  ${due === null ? 'no date yet' : `${state === 'not-yet' ? 'due on' : 'due since'} ${due.slice(0, 10)}`}${error === null ? '' : `  ${ink.bad(error)}`}`,
      ...(doubt === null
        ? []
        : [
            ink.warn(
              `  Left alone: ${doubt}. If it is still the person: subject erase ${subject} --plan. Else: subject end-erasure ${erasure} --because came-back, or somebody-else.`,
            ),
          ]),
      ...(plan === null ? [] : planLines(plan, ink)),
    ]),
    ...(persons.length === 0 ? ['No duty to keep anything of somebody who was erased has ended.'] : []),
    ...(next === null ? [] : [ink.dim(`The next one ends on ${next.slice(0, 10)}.`)]),
    ...(more ? [ink.dim('There are more; they come when these are done.')] : []),
    ...(hash === null
      ? []
      : [approveHint('--due --approve', hash, persons.find(({ plan }) => plan?.signature !== undefined)?.plan?.signature)]),
  ].join('\n');
}

function approveHint(flag: string, hash: string, signature: ErasurePlan['signature']): string {
  if (signature === 'missing') return 'To have it approved, plan it with --sign-with FILE: the key of one of the approvers.';
  return `Approve it with ${flag} ${hash}${signature === undefined ? '' : ' --sign-with FILE, by the key of another approver'}`;
}

function planText(plan: Frozen<ErasurePlan>, ink: Ink): string {
  return [
    `${ink.strong(plan.subject)}: ${plan.estimate.rows} row(s), ${plan.mode}, about ${plan.estimate.seconds} s in ${plan.estimate.chunks} step(s)`,
    ...planLines(plan, ink),
    plan.blocked.length > 0 ? ink.bad('It cannot be carried out as it is.') : approveHint('--approve', plan.hash, plan.signature),
  ].join('\n');
}

/** All that whoever approves has to have read. */
function planLines(plan: Frozen<ErasurePlan>, ink: Ink): readonly string[] {
  const lines = plan.tables.map(({ table, rows, action, reason, basis, until }) => {
    const shown = action === 'delete' ? ink.bad(action) : action === 'keep' ? ink.dim(action) : ink.warn(action);
    const why = [reason, basis, until === undefined ? undefined : `until ${until}`].filter((word) => word !== undefined).join(', ');
    return `  ${shown.padEnd(8)} ${String(rows).padStart(8)}  ${ink.strong(table)}  ${why}`;
  });
  return [
    ...lines,
    // Of whole rows the lines above tell already.
    ...plan.kept
      .filter(({ table }) => !plan.tables.some((line) => line.table === table))
      .map(({ table, rows, reason }) => `  ${ink.dim('stays'.padEnd(8))} ${String(rows).padStart(8)}  ${table}  ${reason}`),
    ...plan.holds.map(
      ({ id, target, rows, wholePerson }) =>
        `  ${ink.bad('held')} ${wholePerson ? 'the whole person' : `${rows} row(s)`} by ${id} (${target})`,
    ),
    ...plan.blocked.map(({ table, what, remedy }) => `  ${ink.bad('blocked')} ${table ?? ''} ${what}. ${remedy}`),
    ...plan.externalCopies.map(({ place, kind, state, note }) => `  ${ink.warn('outside')} ${place} (${kind}, ${state}): ${note}`),
    ...(plan.erasedBefore === null
      ? []
      : [ink.warn(`  This person was erased before, on ${plan.erasedBefore.at}: certificate ${plan.erasedBefore.certificate}.`)]),
    ...plan.notes.map((note) => ink.dim(`  ${note}`)),
  ];
}

function residueLines(residue: Frozen<ErasureDone['residue']>, ink: Ink): readonly string[] {
  return residue.map(({ place, what, count, remedy }) => ink.dim(`  ${place}: ${count} ${what}. ${remedy}`));
}

function doneText(done: Frozen<ErasureDone>, ink: Ink): string {
  const counts = Object.entries(done.counts).map(([name, count]) => `${count} ${name}`);
  const head =
    done.state === 'unfulfilled'
      ? ink.bad('NOT fulfilled: something is still there, and no certificate was given')
      : ink.good('Erased');
  return [
    `${head}: ${counts.join(', ')}.`,
    ...(done.due === null
      ? done.state === 'kept'
        ? [
            ink.warn(
              'What a duty keeps stays; it is due when its date is filled in and the duty has ended: subject erase --due --plan.',
            ),
          ]
        : []
      : [ink.warn(`What a duty keeps stays; it is due from ${done.due.slice(0, 10)} on: subject erase --due --plan.`)]),
    ...(done.unexplained === 0
      ? []
      : [
          ink.bad(
            `${done.unexplained} row(s) were not as the log has them before they were erased: somebody has changed them unseen. audit verify --full tells which.`,
          ),
        ]),
    ...(done.state === 'held' ? [ink.warn('Rows that are held stay; they are erased when the hold ends.')] : []),
    ...done.externalCopies.map(({ place, state, note }) => `  outside: ${place}, ${state}: ${note}`),
    ...residueLines(done.residue, ink),
    ...(done.certificate === null && done.state !== 'unfulfilled'
      ? [ink.warn('No certificate yet: somebody else is at it. If none comes: subject erasures --run.')]
      : []),
    ...(done.certificate === null ? [] : [`Certificate: ${done.certificate}`]),
  ].join('\n');
}

const approverKeyCommand = command({
  name: 'subject approver-key',
  summary: 'make the key by which one person proves that they plan or approve erasures',
  positionals: [{ key: 'name', label: 'NAME', description: 'whose key it is; it stands in certificates' }],
  input: Type.Object({
    name: Type.String({ pattern: '^[^\\s+]{1,100}$' }),
    out: Type.String({ minLength: 1, description: 'the file of the key, which is theirs alone' }),
  }),
  output: Type.Object({ file: Type.String(), verifierKey: Type.String() }),
  example: 'safekeep subject approver-key ann.lee --out ann.key',
  run: async (_context, { name, out }) => ({ result: await makeApproverKey(name, out) }),
  render: ({ file, verifierKey }) =>
    `${file} is theirs alone. Add this line to the file of SAFEKEEP_ERASURE_APPROVERS:\n${verifierKey}`,
});

function erasuresCommand(openPorts: OpenPorts): Command {
  return command({
    name: 'subject erasures',
    summary: 'list erasures, go on with those that are not at their end, or hold them against the ledger',
    input: Type.Object({
      open: Type.Optional(Type.Boolean({ description: 'only those that are not at their end' })),
      run: Type.Optional(
        Type.Boolean({ description: 'go on: chunks, places outside that did not answer, what a released hold had stopped' }),
      ),
      check: Type.Optional(
        Type.Boolean({
          description: 'only those that this home did not write or end, or not as they stand there, and those that are missing',
        }),
      ),
    }),
    output: ErasuresText,
    example: 'safekeep subject erasures --run',
    notSo: 'with --run one cannot go on, or something is still there; with --check one was not written by this home',
    event: { kind: 'compliance', onlyWith: 'run' },
    run: async (context, { open = false, run = false, check = false }) => {
      if (Number(open) + Number(run) + Number(check) > 1)
        throw new SafekeepError('usage', { problem: 'Give one of --open, --run and --check.' });
      if (check) {
        const result = await withLedger(context, openPorts, checkErasures);
        return { result, ok: result.erasures.length === 0 };
      }
      if (!run) return { result: await listErasures({ database: await context.database(), tenant: context.tenant }, { open }) };
      await context.confirm('Going on with erasures');
      const result = await withLedger(context, openPorts, (ground) => runErasures(ground, { signal: context.signal }));
      return { result, ok: result.erasures.every(({ error, state }) => error === null && state !== 'unfulfilled') };
    },
    render: ({ erasures, missing }, ink) =>
      [
        ...(erasures.length > 0
          ? []
          : [
              missing === undefined
                ? 'There are no such erasures.'
                : 'Every erasure that this database knows was written by this home.',
            ]),
        ...erasures.flatMap(({ id, state, subject, mode, startedAt, due, residue, error }) => [
          `${ink.dim(id)}  ${startedAt}  ${state === 'done' ? ink.good(state) : ink.warn(state)}  ${subject === null ? '' : `${subject}  `}${mode}${due === null ? '' : `  until ${due.slice(0, 10)}`}${error === null ? '' : `  ${ink.bad(error)}`}`,
          ...residueLines(residue, ink),
        ]),
        ...(missing ?? []).map((id) =>
          ink.warn(`${id}  is in the ledger and not in this database: after a restore run ledger replay.`),
        ),
      ].join('\n'),
  });
}

function endErasureCommand(openPorts: OpenPorts): Command {
  return command({
    name: 'subject end-erasure',
    summary: "end an erasure of which nobody can tell any more whether what it left is the person's; nothing is erased",
    positionals: [
      { key: 'erasure', label: 'ERASURE', description: 'its id, as `subject erase --due --plan` and `subject erasures` show it' },
    ],
    input: Type.Object({
      erasure: Type.String({ minLength: 1 }),
      because: Type.Union([...EndReason.anyOf], {
        description:
          'what you have seen. came-back: what stands there they gave anew; somebody-else: has the number now; gone: nothing of them is left; not-ours: this home did not write the record',
      }),
      by: By,
      signWith,
    }),
    output: EndedText,
    example: 'safekeep subject end-erasure 01994b0e-7c3a-7d21-9f60-3f2a51c0de42 --because came-back',
    event: { kind: 'compliance', tells: ['erasure', 'because', 'state'] },
    run: async (context, { erasure: text, because, by: claimed, signWith: keyFile }) => {
      const erasure = parseId<'erasure'>(text);
      if (erasure === undefined)
        throw new SafekeepError('usage', { problem: 'The id of an erasure is a UUID, as `safekeep subject erasures` shows it.' });
      const actor = await actorOf(claimed, keyFile);
      await context.confirm('Ending an erasure without erasing what it left');
      return { result: await withLedger(context, openPorts, (ground) => endErasure(ground, { erasure, because, actor })) };
    },
    render: ({ erasure, because }, ink) => `${ink.good('Ended')}: ${erasure}, ${because}. Nothing was erased.`,
  });
}

function canaryCommand(openPorts: OpenPorts): Command {
  return command({
    name: 'subject canary',
    summary: 'make somebody up, export and erase them and look for what is left; all of it is taken back',
    input: Type.Object({}),
    output: CanaryText,
    example: 'safekeep subject canary',
    notSo: 'the export misses something, the erasure leaves something, or neither can be told',
    run: async (context) => {
      const result = await withGround(context, openPorts, runCanary);
      return { result, ok: result.state === 'pass' };
    },
    render: ({ state, seeded, exported, faults }, ink) =>
      [
        `${state === 'pass' ? ink.good('pass') : state === 'fail' ? ink.bad('FAIL') : ink.warn('not evaluable')}: ${seeded} row(s) made up, ${exported} exported.`,
        ...faults.map((fault) => `  ${fault}`),
      ].join('\n'),
  });
}

function replayCommand(openPorts: OpenPorts): Command {
  return command({
    name: 'ledger replay',
    summary: 'after a restore: erase those again who had been erased since the copy was made',
    input: Type.Object({
      plan: Type.Optional(Type.Boolean({ description: 'only show who it would be; nothing is changed' })),
      also: Type.Array(Type.String({ minLength: 3 }), {
        default: [],
        description: 'type:key of somebody of whom it is ambiguous, and who is to be erased all the same; can be repeated',
      }),
      by: By,
    }),
    output: ReplayText,
    example: 'safekeep ledger replay --plan',
    notSo: 'somebody is ambiguous or cannot be erased, or the ledger is not theirs',
    event: { kind: 'compliance', planned: null },
    run: async (context, { plan = false, also, by = userInfo().username }) => {
      if (!plan) await context.confirm('Erasing again who was erased before');
      const result = await withLedger(context, openPorts, (ground) => replayLedger(ground, { plan, by, also }));
      // A ledger without anybody, beside one that is elsewhere, is not the one to ask.
      const isTheirs = result.until !== null || result.otherLedgers === 0;
      return { result, ok: isTheirs && result.persons.every(({ state, error }) => error === null && state !== 'ambiguous') };
    },
    render: replayText,
  });
}

function replayText({ until, otherLedgers, persons, sequences, sequencesLeft }: Frozen<ReplayText>, ink: Ink): string {
  return [
    until === null
      ? ink.warn('Nobody stands in the ledger of this home.')
      : `The ledger is whole and reaches to ${until}; who was erased later stands in a newer one, such as its second copy.`,
    ...(otherLedgers === 0 ? [] : [ink.warn(`The database has seen ${otherLedgers} ledger(s) of other homes: replay those too.`)]),
    ...(persons.length === 0 && until !== null ? ['Nobody is there again whom the ledger knows to be erased.'] : []),
    ...persons.map(
      ({ subject, erasedAt, rows, state, doubt, error }) =>
        `${ink.strong(subject)}  ${state === 'done' ? ink.good(state) : ink.warn(state)}  ${state === 'ambiguous' ? `${doubt ?? ''} (--also ${subject})` : `${rows} row(s)`}, first erased ${erasedAt}${error === null ? '' : `  ${ink.bad(error)}`}`,
    ),
    ...(sequences.length === 0 ? [] : [`Moved on: ${sequences.join(', ')}.`]),
    ...(sequencesLeft === 0
      ? []
      : [
          ink.warn(
            `The ledger had no place for ${sequencesLeft} more: look at the sequences of the tables of people, and move them past what was given out.`,
          ),
        ]),
  ].join('\n');
}

const Verified = Type.Object({
  ok: Type.Boolean(),
  kind: Type.String(),
  issuedAt: Type.Union([Type.String(), Type.Null()]),
  faults: Type.Array(Type.String()),
  about: Type.Union([
    Type.Object({
      id: Type.String(),
      subject: Type.String({ description: 'type:key; of an erasure the type and the mark, which is the same for the same person' }),
    }),
    Type.Null(),
  ]),
});

const verifyCommand = command({
  name: 'certificate verify',
  summary: 'check a certificate of erasure or an export against the key of the home that issued it; needs no database',
  positionals: [
    { key: 'file', label: 'FILE', description: 'a certificate, or an export; of one that is JSON or PDF its manifest lies beside' },
  ],
  input: Type.Object({
    file: Type.String({ minLength: 1 }),
    vkey: Type.String({ minLength: 1, description: 'the verifier key, which came to you another way than the file' }),
    approvers: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'a file with the keys of those who may plan and approve: two of them must have signed the erasure',
      }),
    ),
  }),
  output: Verified,
  example: 'safekeep certificate verify erasure-01994b0e.json --vkey safekeep-1f2e3d4c+0a1b2c3d+AQ…',
  notSo: 'the document is not what was signed with this key',
  run: async (_context, { file, vkey, approvers }) => {
    const result = await verifyFile(file, vkey, await readApprovers(approvers));
    return { result, ok: result.ok };
  },
  render: ({ ok, kind, issuedAt, faults, about }, ink) =>
    ok
      ? `${ink.good('genuine')}: ${kind} ${about?.id ?? ''} of ${about?.subject ?? 'nobody named'}, issued ${issuedAt ?? 'at an unknown time'}`
      : `${ink.bad('NOT genuine')}: ${faults.join('; ')}`,
});

/** The map, the live structure, the database and the ports of a call; the one place that opens ports, and closes them. */
async function withGround<Result>(
  context: CommandContext,
  openPorts: OpenPorts,
  action: (ground: Ground) => Promise<Result>,
): Promise<Result> {
  const database = await context.database();
  const { map, text } = await loadMap(context.mapFile);
  const ports = await openPorts(context);
  try {
    const { tenant, clock } = context;
    return await action(await groundOf({ database, tenant, clock, map, mapSha256: sha256(text), ports }));
  } finally {
    await ports.close?.();
  }
}

async function withLedger<Result>(
  context: CommandContext,
  openPorts: OpenPorts,
  action: (ground: ErasureGround) => Promise<Result>,
): Promise<Result> {
  return await withGround(context, openPorts, async (ground) => {
    const ledger = await ledgerFor(context);
    try {
      return await action({
        ...ground,
        ports: {
          ...ground.ports,
          participants: [...ground.ports.participants, exportsPart(exportsOf(context), () => exportKey(context.home))],
        },
        ledger,
        signer: await context.signer(),
        certificateDirectory: join(context.home, 'certificates'),
        approval: context.configuration.erasureApproval,
        approvers: await readApprovers(context.configuration.erasureApprovers),
        outsideTimeoutMs: context.configuration.outsideTimeoutMs,
      });
    } finally {
      ledger.close();
    }
  });
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
