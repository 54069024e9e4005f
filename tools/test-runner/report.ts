import type { FileReport } from './run-file.ts';

export type Totals = { readonly passed: number; readonly failed: number; readonly skipped: number };

export function totalsOf(reports: readonly FileReport[]): Totals {
  const outcomes = reports.flatMap(({ results }) => results.map(({ outcome }) => outcome));
  const faults = reports.reduce((sum, report) => sum + report.faults.length, 0);
  return {
    passed: outcomes.filter((outcome) => outcome === 'passed').length,
    failed: outcomes.filter((outcome) => outcome === 'failed').length + faults,
    skipped: outcomes.filter((outcome) => outcome === 'skipped').length,
  };
}

/** The last line of a run, which scripts read: `N passed, N failed[, N skipped]`. */
export function totalsLine({ passed, failed, skipped }: Totals): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/** One line as each file ends. */
export function progressLine(report: FileReport): string {
  const { passed, failed, skipped } = totalsOf([report]);
  const counts = [`${passed} passed`, failed > 0 && `${failed} failed`, skipped > 0 && `${skipped} skipped`]
    .filter(Boolean)
    .join(', ');
  return `${failed > 0 ? 'FAIL' : ' ok '} ${report.file} (${counts}, ${(report.durationMs / 1000).toFixed(1)} s)`;
}

/** Everything known about each failure. */
export function failuresText(reports: readonly FileReport[]): string {
  return reports
    .flatMap(({ file, results, faults }) => [
      ...faults.map((fault) => block(file, fault)),
      ...results
        .filter(({ outcome }) => outcome === 'failed')
        .map(({ path, detail }) => block(`${file} > ${path.join(' > ')}`, detail)),
    ])
    .join('\n');
}

/** Why tests were skipped, each reason once. */
export function skipsText(reports: readonly FileReport[]): string {
  const counts = new Map<string, number>();
  for (const { outcome, detail } of reports.flatMap(({ results }) => results)) {
    if (outcome === 'skipped') counts.set(detail, (counts.get(detail) ?? 0) + 1);
  }
  return [...counts].map(([reason, count]) => `skipped ${count}: ${reason}\n`).join('');
}

function block(title: string, text: string): string {
  const indented = text.split('\n').map((line) => (line === '' ? '' : `    ${line}`));
  return `FAIL ${title}\n${indented.join('\n')}\n`;
}
