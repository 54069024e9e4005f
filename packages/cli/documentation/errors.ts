import { catalogue } from '@safekeep/core';
import { cell, generated } from './markdown.ts';

/** docs/errors.md: every refusal by code. */
export function errorPage(): string {
  const rows = Object.entries(catalogue)
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(
      ([code, { status, exit, text, remedy }]) =>
        `| <a id="${code}"></a>\`${code}\` | ${exit} | ${status} | ${cell(text)} | ${cell(remedy)} |`,
    );
  return generated(
    'Errors',
    `Every expected refusal of Safekeep. The CLI prints code, message and remedy (\`--json\`: \`{"error":{"code","message","remedy"}}\`) and ends with the exit code; the API answers with the HTTP status. Words in braces are filled in.`,
    ['| code | exit | HTTP | what happened | what to do |', '|---|---|---|---|---|', ...rows].join('\n'),
  );
}
