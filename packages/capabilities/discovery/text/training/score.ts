import { readFile } from 'node:fs/promises';
import type { Entity } from '../model.ts';

/** A line on standard output: these are programs at a terminal. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

export type Labelled = {
  readonly text: string;
  readonly spans: readonly { readonly type: string; readonly start: number; readonly end: number }[];
};
export type Counts = { hit: number; missed: number; right: number; wrong: number };

/** Other names for what we find, in labelled data of the Presidio kind. */
const SAME: Readonly<Record<string, string>> = {
  ADDRESS: 'LOCATION',
  STREET_ADDRESS: 'LOCATION',
  GPE: 'LOCATION',
  CITY: 'LOCATION',
  ZIP_CODE: 'LOCATION',
  DOMAIN_NAME: 'URL',
  DATE_OF_BIRTH: 'DATE_TIME',
  BIRTH_DATE: 'DATE_TIME',
  NATIONALITY: 'NRP',
  FIRST_NAME: 'PERSON',
  LAST_NAME: 'PERSON',
};

const sameType = (type: string): string => SAME[type] ?? type;

/**
 * A labelled stretch is hit by a finding of its type that overlaps it; a finding is right when it overlaps one of its type.
 * (Exact bounds of an address or a title are a matter of taste of whoever labelled.)
 */
export function measure(
  labelled: readonly Labelled[],
  detect: (text: string) => readonly Entity[],
  options: { readonly show: boolean; readonly only?: ReadonlySet<string> },
): ReadonlyMap<string, Counts> {
  const counts = new Map<string, Counts>();
  const of = (type: string): Counts => {
    const mine = counts.get(type) ?? { hit: 0, missed: 0, right: 0, wrong: 0 };
    counts.set(type, mine);
    return mine;
  };
  for (const { text, spans } of labelled) {
    const wanted = spans.map((span) => ({ ...span, type: sameType(span.type) }));
    const found = detect(text)
      .map((entity) => ({ ...entity, type: sameType(entity.type) }))
      .filter(({ type }) => options.only?.has(type) ?? true);
    for (const span of wanted) {
      const hit = found.some((entity) => entity.type === span.type && entity.start < span.end && entity.end > span.start);
      of(span.type)[hit ? 'hit' : 'missed'] += 1;
      if (!hit && options.show)
        print(
          `missed ${span.type} ${JSON.stringify(text.slice(span.start, span.end))} in ${JSON.stringify(text.slice(Math.max(0, span.start - 50), span.end + 30))}`,
        );
    }
    for (const entity of found) {
      const right = wanted.some((span) => entity.type === span.type && entity.start < span.end && entity.end > span.start);
      of(entity.type)[right ? 'right' : 'wrong'] += 1;
      if (!right && options.show)
        print(
          `false ${entity.type} ${JSON.stringify(text.slice(entity.start, entity.end))} in ${JSON.stringify(text.slice(Math.max(0, entity.start - 50), entity.end + 30))}`,
        );
    }
  }
  return counts;
}

function figures({ hit, missed, right, wrong }: Counts): {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  readonly f2: number;
} {
  const precision = right / Math.max(1, right + wrong);
  const recall = hit / Math.max(1, hit + missed);
  const f = (beta: number): number => ((1 + beta * beta) * precision * recall) / Math.max(1e-9, beta * beta * precision + recall);
  return { precision, recall, f1: f(1), f2: f(2) };
}

export function table(counts: ReadonlyMap<string, Counts>): string {
  const sum: Counts = { hit: 0, missed: 0, right: 0, wrong: 0 };
  for (const one of counts.values()) for (const key of ['hit', 'missed', 'right', 'wrong'] as const) sum[key] += one[key];
  const rows = [...[...counts].toSorted(([a], [b]) => (a < b ? -1 : 1)), ['all', sum] as const].map(([type, one]) => {
    const { precision, recall, f1, f2 } = figures(one);
    return `| ${type} | ${one.hit + one.missed} | ${one.missed} | ${one.wrong} | ${[precision, recall, f1, f2].map((value) => value.toFixed(3)).join(' | ')} |`;
  });
  return ['| type | labelled | missed | false | precision | recall | F1 | F2 |', '|---|---|---|---|---|---|---|---|', ...rows].join(
    '\n',
  );
}

/** The form of presidio-research: `full_text`, and `spans` with `entity_type`, `start_position`, `end_position`. */
export async function readLabelled(file: string): Promise<readonly Labelled[]> {
  // A development tool over a file that its user names: what is not of this form fails at once below.
  const items = JSON.parse(await readFile(file, 'utf8')) as readonly {
    readonly full_text: string;
    readonly spans: readonly { readonly entity_type: string; readonly start_position: number; readonly end_position: number }[];
  }[];
  return items.map(({ full_text: text, spans }) => ({
    text,
    spans: spans.map((span) => ({ type: span.entity_type, start: span.start_position, end: span.end_position })),
  }));
}
