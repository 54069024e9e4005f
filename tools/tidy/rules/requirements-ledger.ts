import type { Fault, RepositoryFile, Rule } from '../rule.ts';

const PAGE = 'docs/requirements.md';
/** How many requirements each of the systems has that Safekeep replaces. Kept by hand: the ledger itself may not shrink. */
const COUNTS: Readonly<Record<string, number>> = { D: 17, M: 12, P: 19, X: 21, A: 11, S: 14 };
const STATES = new Set(['done', 'part', 'not yet']);

type Row = { readonly id: string; readonly state: string; readonly test: string; readonly line: number };

export const requirementsLedger: Rule = {
  name: 'requirements-ledger',
  why: 'The ledger is what a buyer reads: complete, and never done without a test that proves it.',
  check: (files) => {
    const page = files.find(({ path }) => path === PAGE);
    if (page === undefined) return [{ path: PAGE, line: 1, message: 'is missing' }];
    const rows = rowsOf(page);
    const known = new Set(files.map(({ path }) => path));
    return [...idFaults(rows), ...rows.flatMap((row) => rowFaults(row, known))];
  },
};

function rowsOf({ text }: RepositoryFile): Row[] {
  return text.split('\n').flatMap((row, index) => {
    const cells = row.split(/(?<!\\)\|/).map((cell) => cell.trim());
    const [, id = '', , state = '', , test = ''] = cells;
    return /^[A-Z]\d+$/.test(id) ? [{ id, state, test, line: index + 1 }] : [];
  });
}

function idFaults(rows: readonly Row[]): Fault[] {
  const expected = Object.entries(COUNTS).flatMap(([letter, count]) =>
    Array.from({ length: count }, (_, index) => `${letter}${index + 1}`),
  );
  const found = Map.groupBy(rows, ({ id }) => id);
  const missing = expected.filter((id) => !found.has(id)).map((id) => ({ path: PAGE, line: 1, message: `${id} is missing` }));
  const wrong = [...found].flatMap(([id, [row, again]]) => {
    if (!expected.includes(id)) return [{ path: PAGE, line: row?.line ?? 1, message: `${id} is no requirement` }];
    return again === undefined ? [] : [{ path: PAGE, line: again.line, message: `${id} stands here twice` }];
  });
  return [...missing, ...wrong];
}

function rowFaults({ id, state, test, line }: Row, files: ReadonlySet<string>): Fault[] {
  const fault = (message: string): Fault => ({ path: PAGE, line, message: `${id}: ${message}` });
  if (!STATES.has(state)) return [fault(`"${state}" is none of ${[...STATES].join(', ')}`)];
  const tests = [...test.matchAll(/`([^`]+)`/g)].map(([, path = '']) => path);
  const faults = tests.filter((path) => !files.has(path)).map((path) => fault(`there is no file ${path}`));
  if (state === 'done' && !tests.some((path) => path.endsWith('.test.ts'))) faults.push(fault('done, but no test is named'));
  return faults;
}
