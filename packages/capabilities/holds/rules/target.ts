import { formatTableName, parseTableName, SafekeepError } from '@safekeep/core';
import type { Target } from '../model.ts';
import { parseCondition } from './condition.ts';
import { formatKey, parseKey } from './key.ts';

const TARGET_CHARS = 2000;

/**
 * Reads the target of a hold: `patient:42` for a subject of the map, `public.invoices:17` for a row, and a table alone with a
 * condition. Where a subject and a table of schema public have the same name it is the subject.
 *
 * @throws `hold-target-invalid`, `hold-condition-invalid`, `name-invalid`.
 */
export function parseTarget(text: string, query: string | undefined, subjects: readonly string[]): Target {
  if (text.length > TARGET_CHARS) throw invalid(`it is longer than ${TARGET_CHARS} characters`);
  const colon = colonOf(text);
  if (query !== undefined) {
    if (colon !== -1) throw invalid('with --query it is a table and has no key');
    return { kind: 'query', table: tableOf(text), condition: parseCondition(query) };
  }
  if (colon === -1) throw invalid('it has no key, and no --query says which rows are meant');
  const [name, written] = [text.slice(0, colon), text.slice(colon + 1)];
  const key = parseKey(written);
  if ('fault' in key) throw invalid(key.fault);
  return subjects.includes(name) ? { kind: 'subject', person: { type: name, key } } : { kind: 'row', table: tableOf(name), key };
}

/** As it is shown and kept, with the key as the database writes it. */
export function formatTarget(target: Target): string {
  if (target.kind === 'query') return target.table;
  return `${target.kind === 'subject' ? target.person.type : target.table}:${formatKey(target.kind === 'subject' ? target.person.key : target.key)}`;
}

/** The first colon that does not stand in a quoted part of a name; -1 where there is none. */
function colonOf(text: string): number {
  return (/^(?:"(?:[^"]|"")*"|[^":])*:/u.exec(text)?.[0].length ?? 0) - 1;
}

function tableOf(text: string): string {
  return formatTableName(parseTableName(text));
}

function invalid(reason: string): SafekeepError {
  return new SafekeepError('hold-target-invalid', { reason });
}
