// Findings for each megabyte of text in which nobody's data should stand: prose, code and logs, by shapes and checks alone and with all kinds.
// `node packages/capabilities/discovery/text/training/alarms.ts [--megabytes N] [--show TYPE]`
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { kinds } from '../../kinds/table.ts';
import { detectText } from '../detect.ts';
import { print } from './score.ts';
import { seeded } from './sentences.ts';

const { values } = parseArgs({ options: { megabytes: { type: 'string', default: '10' }, show: { type: 'string' } } });
const LIMIT = Number(values.megabytes) * 1_000_000;
const MODULES = join(import.meta.dirname, '../../../../../node_modules');
/** All of them together. */
const NATIONAL = 'national numbers';
const LEAST_TOLD = 0.05;
const national = new Set(kinds.filter(({ family }) => family === 'national').map(({ name }) => name));

const texts = { prose: await gather(/\.md$/i), code: await gather(/\.(?:js|mjs|ts)$/), logs: logLines() };
const rates = new Map<string, number[]>();
const heads: string[] = [];
for (const depth of ['structured', 'all'] as const) {
  for (const [name, lines] of Object.entries(texts)) {
    heads.push(`${name}, ${depth}`);
    const { counts, megabytes } = countIn(lines, depth);
    for (const [type, count] of counts) {
      const own = rates.get(type) ?? [];
      own[heads.length - 1] = count / megabytes;
      rates.set(type, own);
    }
  }
}
print(`| findings a MB | ${heads.join(' | ')} |`);
print(`|---|${'---|'.repeat(heads.length)}`);
const most = (own: readonly number[]): number => Math.max(...own.filter((rate) => rate > 0));
for (const [type, own] of [...rates].toSorted(([, one], [, other]) => most(other) - most(one)))
  if (type === NATIONAL || most(own) >= LEAST_TOLD)
    print(`| ${type} | ${heads.map((_, place) => (own[place] ?? 0).toFixed(1)).join(' | ')} |`);

function countIn(
  lines: readonly string[],
  depth: 'structured' | 'all',
): { readonly counts: ReadonlyMap<string, number>; readonly megabytes: number } {
  const counts = new Map<string, number>([[NATIONAL, 0]]);
  let size = 0;
  for (const line of lines) {
    size += line.length + 1;
    for (const { type, start, end } of detectText(line, { depth })) {
      const name = national.has(type) ? NATIONAL : type;
      counts.set(name, (counts.get(name) ?? 0) + 1);
      if (type === values.show) print(line.slice(Math.max(0, start - 40), end + 20));
    }
  }
  return { counts, megabytes: size / 1_000_000 };
}

/** Lines of the files of this sort below node_modules, in order of their names, up to the limit. */
async function gather(wanted: RegExp): Promise<readonly string[]> {
  const files = (await readdir(MODULES, { recursive: true })).filter((file) => wanted.test(file)).toSorted();
  const lines: string[] = [];
  let size = 0;
  for (const file of files) {
    // Packages about such numbers have real ones in their documents and tests.
    if (size >= LIMIT || /safekeep|stdnum|ibantools|phonenumber|redactpii|faker/.test(file)) continue;
    const text = await readFile(join(MODULES, file), 'utf8').catch(() => '');
    for (const line of text.split('\n')) {
      // Minified code in one line is one item of some hundred kilobytes: looked at all the same.
      lines.push(line);
      size += line.length + 1;
    }
  }
  return lines;
}

function logLines(): readonly string[] {
  const random = seeded(5);
  const number = (below: number): number => Math.floor(random() * below);
  const hex = (length: number): string => Array.from({ length }, () => '0123456789abcdef'[number(16)]).join('');
  const two = (value: number): string => String(value).padStart(2, '0');
  const makers: readonly (() => string)[] = [
    () => `INFO request ${hex(8)}-${hex(4)}-${hex(4)}-${hex(4)}-${hex(12)} done in ${number(1_000)}ms bytes=${number(1e9)}`,
    () => `DEBUG order ${number(1e15)} item ${number(1e6)} sku ${number(1e8)}-${number(99)}`,
    () => `WARN commit ${hex(40)} short ${hex(7)} build ${number(1e5)}.${number(10)}`,
    () => `TRACE span=${hex(16)} ts=${1_700_000_000_000 + number(1e11)} seq=${number(1e10)} offset ${number(1e12)}`,
    () => `ERROR code ${number(999_999_999)} at 0x${hex(12)} (${number(1e9)})`,
    () => `INFO account ${number(1e10)} ref ${number(1e16)} amount ${number(1e5)}.${two(number(100))} user=${number(1e7)}`,
    () => `INFO key ${hex(32).toUpperCase()} id ${String.fromCodePoint(65 + number(26))}${number(1e8)}`,
  ];
  const lines: string[] = [];
  for (let size = 0; size < LIMIT;) {
    const line = `2026-0${1 + number(9)}-${two(1 + number(28))}T${two(number(24))}:${two(number(60))}:${two(number(60))}.${number(999)}Z ${makers[number(makers.length)]?.() ?? ''}`;
    lines.push(line);
    size += line.length + 1;
  }
  return lines;
}
