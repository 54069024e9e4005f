import type { Measure } from './bench.ts';
import type { BenchResult, ContenderResult, LimitResult } from './result.ts';
import { median, ratioInterval, relativeSpread, seededRandom, type Interval } from './statistics.ts';

/** The result as Markdown: what stands in docs/performance.md and on the terminal. */
export function report(result: BenchResult): string {
  return [
    `## ${result.bench} (${result.scale}: ${count(result.size)} ${result.unit})`,
    result.question,
    table(contenderColumns(result), result.contenders),
    ...extraTable(result),
    ...(result.limits.length === 0 ? [] : [table(limitColumns, result.limits)]),
    provenance(result),
  ].join('\n\n');
}

/** One line for each promise that was not met, for the end of a run over all benches. */
export function openPromises(result: BenchResult): readonly string[] {
  return result.limits
    .filter((limit) => limit.state !== 'met')
    .map((limit) => `${result.bench} (${result.scale}): ${promise(limit)}: ${verdict(limit)}`);
}

/** Every promise of all benches in one table, the broken ones first, and the benches of which no result is kept: what stands at the top of docs/performance.md. */
export function summary(results: readonly BenchResult[], neverRun: readonly string[] = []): string {
  const rows = results
    .flatMap((result) => result.limits.map((limit) => ({ ...limit, bench: `${result.bench} (${result.scale})` })))
    .toSorted((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || a.bench.localeCompare(b.bench));
  const counted = ORDER.map((state) => `${rows.filter((row) => row.state === state).length} ${WORDS[state]}`).toReversed();
  const bench = { head: 'bench', cell: (row: (typeof rows)[number]) => row.bench };
  return [
    `## All promises`,
    `Of ${rows.length} promises: ${counted.join(', ')}.`,
    ...(neverRun.length === 0 ? [] : [`Never run, so that nothing is known of what they promise: ${neverRun.join(', ')}.`]),
    table([bench, ...limitColumns], rows),
  ].join('\n\n');
}

const ORDER: readonly LimitResult['state'][] = ['missed', 'too-wide', 'not-measured', 'met'];
const WORDS: Readonly<Record<LimitResult['state'], string>> = {
  'met': 'met',
  'missed': 'missed',
  'too-wide': 'too wide to conclude',
  'not-measured': 'not measured',
};

type Column<Row> = { readonly head: string; readonly cell: (row: Row) => string };

function contenderColumns(result: BenchResult): readonly Column<ContenderResult>[] {
  return [
    { head: 'contender', cell: ({ name, kind }) => (kind === 'ours' ? `**${name}**` : `${name} (${kind})`) },
    { head: 'version', cell: ({ version, missing }) => missing ?? version ?? '' },
    { head: 'median', cell: (row) => over(row, 'seconds', median) },
    { head: 'min', cell: (row) => over(row, 'seconds', (values) => Math.min(...values)) },
    { head: 'max', cell: (row) => over(row, 'seconds', (values) => Math.max(...values)) },
    { head: 'spread', cell: ({ samples }) => (samples.seconds ? `±${percent(relativeSpread(samples.seconds))}` : '') },
    { head: `${result.unit}/s`, cell: (row) => over(row, 'unitsPerSecond', median) },
    ...ratioColumn(result),
    { head: 'CPU', cell: (row) => over(row, 'cpuSeconds', median) },
    { head: 'peak RSS', cell: (row) => memory(row, 'peakRssBytes') },
    { head: 'peak PSS', cell: (row) => memory(row, 'peakPssBytes') },
  ];
}

/** Where several contenders are ours they do different things: only the promises then say what is compared with what. */
function ratioColumn({ contenders, seed }: BenchResult): readonly Column<ContenderResult>[] {
  const [base, ...others] = contenders.filter(({ kind }) => kind === 'ours');
  if (base === undefined || base.missing !== undefined || others.length > 0) return [];
  return [{ head: `time / ${base.name}`, cell: (row) => ratioTo(base, row, seed) }];
}

function memory(row: ContenderResult, measure: Measure): string {
  return row.isolated || row.missing !== undefined ? over(row, measure, (values) => Math.max(...values)) : 'shared';
}

/** Figures that only this bench has. */
function extraTable({ contenders }: BenchResult): readonly string[] {
  // Samples are keyed by measure; Object.keys forgets that.
  const all = contenders.flatMap(({ samples }) => Object.keys(samples) as Measure[]);
  const extras = [...new Set(all.filter((measure) => measure.startsWith('extra.')))];
  if (extras.length === 0) return [];
  const columns = extras.map((measure): Column<ContenderResult> => {
    return { head: measure.slice('extra.'.length), cell: (row) => over(row, measure, median) };
  });
  return [table([{ head: 'contender', cell: ({ name }) => name }, ...columns], contenders)];
}

const limitColumns: readonly Column<LimitResult>[] = [
  { head: 'promise', cell: (limit) => promise(limit) },
  { head: 'measured', cell: (limit) => measured(limit) },
  { head: 'verdict', cell: (limit) => verdict(limit) },
  { head: 'source', cell: (limit) => limit.source },
];

function promise({ contender, measure, relation, bound, against }: LimitResult): string {
  const sign = relation === 'at-most' ? '≤' : '≥';
  const right = against === undefined ? figure(measure, bound) : `${bound} x ${against}`;
  return `${contender}: ${label(measure)} ${sign} ${right}`;
}

function measured({ measure, measured: value, interval, against }: LimitResult): string {
  if (value === undefined || interval === undefined) return '';
  const show = (number: number): string => (against === undefined ? figure(measure, number) : ratio(number));
  return `${show(value)} [${show(interval.low)}, ${show(interval.high)}]`;
}

const VERDICTS: Readonly<Record<LimitResult['state'], string>> = {
  'met': 'met',
  'missed': '**missed** ',
  'too-wide': 'too wide to conclude: ',
  'not-measured': 'not measured: ',
};

function verdict({ state, detail }: LimitResult): string {
  return `${VERDICTS[state]}${detail}`;
}

function provenance(result: BenchResult): string {
  const { machine, stageVersion } = result;
  const mixed = result.contenders.some((contender) => contender.missing === undefined && !contender.isolated);
  return [
    `${result.at.slice(0, 10)}, commit ${result.commit}, Node ${result.node.replace('v', '')}${stageVersion === undefined ? '' : `, ${stageVersion}`};`,
    `${machine.cpu}, ${machine.cores} cores, ${figure('peakRssBytes', machine.memoryBytes)}, ${machine.kernel},`,
    `load before ${machine.loadBefore.toFixed(2)}.`,
    `${result.runs} runs after ${result.warmups} warm-up, interleaved in random order (seed ${result.seed}).`,
    'In brackets: 95 % intervals. Spread: scaled median deviation. CPU and memory: of the process tree.',
    ...(mixed ? ['Memory "shared": the contender has no process of its own.'] : []),
  ].join(' ');
}

function over(row: ContenderResult, measure: Measure, statistic: (values: readonly number[]) => number): string {
  const values = row.samples[measure];
  return values === undefined ? '' : figure(measure, statistic(values));
}

function ratioTo(base: ContenderResult, row: ContenderResult, seed: number): string {
  const [theirs, ours] = [row.samples.seconds, base.samples.seconds];
  if (theirs === undefined || ours === undefined) return '';
  if (row === base) return ratio(1);
  const interval: Interval = ratioInterval(theirs, ours, seededRandom(seed));
  return `${ratio(median(theirs) / median(ours))} [${ratio(interval.low)}, ${ratio(interval.high)}]`;
}

const LABELS: Readonly<Record<string, string>> = {
  seconds: 'time',
  unitsPerSecond: 'rate',
  cpuSeconds: 'CPU',
  peakRssBytes: 'peak RSS',
  peakPssBytes: 'peak PSS',
};

function label(measure: Measure): string {
  return LABELS[measure] ?? measure.slice('extra.'.length);
}

function figure(measure: Measure, value: number): string {
  if (measure === 'seconds' || measure === 'cpuSeconds') return value < 1 ? `${digits(value * 1000)} ms` : `${digits(value)} s`;
  if (measure === 'peakRssBytes' || measure === 'peakPssBytes') return `${digits(value / 1e6)} MB`;
  if (measure === 'unitsPerSecond') return `${digits(value)}/s`;
  return digits(value);
}

/** Three digits that count; whole numbers stay whole. */
function digits(value: number): string {
  return Math.abs(value) >= 100 ? count(Math.round(value)) : String(Number(value.toPrecision(3)));
}

function count(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 0 });
}

function ratio(value: number): string {
  return value.toFixed(2);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** A Markdown table with padded cells: readable as plain text, and what the formatter would make of it. */
function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const texts = columns.map(({ head, cell }) => [head, ...rows.map((row) => cell(row).replaceAll('|', '\\|'))]);
  const widths = texts.map((column) => Math.max(3, ...column.map((text) => text.length)));
  const line = (place: number): string =>
    `| ${texts.map((column, index) => (column[place] ?? '').padEnd(widths[index] ?? 0)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [line(0), rule, ...rows.map((_, index) => line(index + 1))].join('\n');
}
