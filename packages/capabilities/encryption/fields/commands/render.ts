import { shellWord } from '@safekeep/core';
import type { Frozen, Ink } from '../../../capability.ts';
import type { DoneText, DoneTogether, StoppedText } from '../model.ts';

export function describe(
  { field, mode, phase, direction, done, total, rowsPerSecond }: Frozen<Omit<DoneText, 'answers' | 'residue'>>,
  ink: Ink,
): string {
  const way = direction === 'out' ? ink.warn(' (going back)') : '';
  return `${ink.strong(field)}  ${mode}  ${phase}${way}  ${done} of ${total} rows${rowsPerSecond > 0 ? `, ${Math.round(rowsPerSecond)} a second` : ''}`;
}

function searches({ search }: Frozen<Pick<DoneText, 'search'>>, ink: Ink): readonly string[] {
  return search.map(({ kind, with: others, column, bits, attackGain, state }) =>
    ink.dim(
      kind === 'unique'
        ? `kept unique in ${column} by the whole hash, which shows equal values to be equal (${state})`
        : kind === 'card_bin' || kind === 'card_last4'
          ? `shown in the clear in ${column}, as PCI DSS 3.4.1 allows (${state})`
          : `search ${kind === 'compound' ? `together with ${others.join(', ')}` : `by ${kind}`} in ${column}: ${bits} bits; a frequency attack gains ${(attackGain * 100).toFixed(2)} % over guessing (${state})`,
    ),
  );
}

export function stoppedLines({ stopped }: { readonly stopped: Frozen<StoppedText[]> }, ink: Ink): readonly string[] {
  return stopped.map(({ field, reason, remedy }) => `${ink.bad('stopped')} ${field}: ${reason} ${remedy}`);
}

export function renderDone(result: Frozen<DoneTogether>, ink: Ink): string {
  return [...[result, ...result.also].map((each) => renderOne(each, ink)), ...stoppedLines(result, ink)].join('\n');
}

export function renderOne(result: Frozen<DoneText>, ink: Ink): string {
  const next =
    result.phase === 'switched'
      ? `Readers take the ciphertext in ${result.encryptedColumn}; the plaintext still stands. When every application goes through the SDK or the view:\n  safekeep encrypt finish ${shellWord(result.field)}`
      : result.phase === 'dual-write'
        ? `Columns and triggers stand. Seal the rows from SQL, or run the same command without --prepare.`
        : result.phase === 'unread'
          ? `Clients of the SDK were told to name the plaintext no more, and it still stands. To go on:\n  safekeep encrypt finish ${shellWord(result.field)}`
          : '';
  return [
    describe(result, ink),
    `${result.verified} stored values were opened and compared.`,
    ...searches(result, ink),
    ...(result.residue.length === 0 ? [] : ['Plaintext may still be found:', ...result.residue.map((each) => `  - ${each}`)]),
    next,
  ]
    .filter((line) => line !== '')
    .join('\n');
}
