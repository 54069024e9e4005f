import { loadFunctions, loadMigrations } from './files.ts';

/** A function of schema safekeep as this Safekeep makes it. */
export type ShippedFunction = {
  readonly name: string;
  /** Of one that a migration makes by `format`, `%I` stands for the schema of pgcrypto. */
  readonly body: string;
  readonly isDefiner: boolean;
  /** As pg_proc.proconfig has them, in small letters, sorted. */
  readonly settings: readonly string[];
  /** Nobody may execute it who was not granted it. */
  readonly isClosed: boolean;
};

const DEFINITION = /create (?:or replace )?function safekeep\.(\w+)\s*(\([\s\S]*?)\bas (\$\w*\$)([\s\S]*?)\3/g;

/**
 * The functions that migrations and function files make, by name; of one that is made again the last. The text that is shipped is the measure: what the
 * database says of itself can be changed together with it.
 */
export function shippedFunctions(): ReadonlyMap<string, readonly ShippedFunction[]> {
  const bySignature = new Map<string, ShippedFunction>();
  for (const { up } of loadMigrations()) for (const [at, made] of definitionsIn(up)) bySignature.set(at, made);
  for (const { text } of loadFunctions()) for (const [at, made] of definitionsIn(text)) bySignature.set(at, made);
  return Map.groupBy(bySignature.values(), ({ name }) => name);
}

function definitionsIn(text: string): readonly (readonly [string, ShippedFunction])[] {
  return [...text.matchAll(DEFINITION)].map(([, name = '', head = '', , body = '']) => {
    const parameters = /^\(([\s\S]*?)\)\s*returns\b/.exec(head)?.[1] ?? '';
    return [
      `${name}(${parameters.replaceAll(/\s+/g, ' ').trim()})`,
      {
        name,
        body,
        isDefiner: /\bsecurity definer\b/.test(head),
        settings: [...head.matchAll(/^\s*set (\w+) (?:=|to) (.+?)\s*$/gm)]
          .map(([, key, value]) => `${key}=${settingOf(value ?? '')}`.toLowerCase())
          .toSorted(),
        isClosed: new RegExp(`revoke (?:execute|all) on function safekeep\\.${name}\\b`).test(text),
      },
    ];
  });
}

/** As PostgreSQL keeps it: an empty name in quotes, a text without. */
function settingOf(value: string): string {
  return value === "''" ? '""' : value.replaceAll(/^'|'$/g, '');
}
