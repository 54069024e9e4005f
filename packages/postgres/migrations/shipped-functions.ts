import { loadFunctions, loadMigrations, type FunctionFile, type Migration } from './files.ts';

/** A function of schema safekeep as this Safekeep makes it. */
export type ShippedFunction = {
  readonly name: string;
  /** Of one that a migration makes by `format`, `%I` stands for the schema of pgcrypto. */
  readonly body: string;
  readonly isDefiner: boolean;
  /** How it is called: language, strict or not, volatility. A strict one is skipped where an argument is null. */
  readonly call: string;
  /** As pg_proc.proconfig has them, in small letters, sorted. */
  readonly settings: readonly string[];
  /** Nobody may execute it who was not granted it. */
  readonly isClosed: boolean;
};

const DEFINITION = /create (?:or replace )?(?:function|procedure) safekeep\.(\w+)\s*(\([\s\S]*?)\bas (\$\w*\$)([\s\S]*?)\3/g;

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

/** What a file makes; undefined where it makes it in a way that says nothing of its text. */
export function shippedIn(text: string): ShippedFunction | undefined {
  return definitionsIn(text)[0]?.[1];
}

/** Functions that a migration made and no file makes, each as the last of them would in a file. Nothing is known of their hash: it is their text that counts. */
export function functionsOfMigrations(
  migrations: readonly Migration[] = loadMigrations(),
): readonly Omit<FunctionFile, 'sha256'>[] {
  const made = migrations.flatMap(({ version, up }) =>
    [...up.matchAll(DEFINITION)].map(([statement, name = '', head = '']) => {
      const parameters = /^\(([\s\S]*?)\)\s*returns\b/.exec(head)?.[1] ?? '';
      const types = parameters.split(',').map((each) => each.trim().replace(/^\w+\s+/, ''));
      const object = `function safekeep.${name}(${types.join(', ')})`;
      const isRevoked = isClosed(up.slice(up.indexOf(statement)), name);
      const text = `${statement.replace(/^create (?:or replace )?/, 'create or replace ')};${isRevoked ? `\nrevoke execute on ${object} from public;` : ''}`;
      return { object, needs: version, text };
    }),
  );
  return [...new Map(made.map((each) => [each.object, each])).values()];
}

/** Whether what stands is what is shipped. `crypto`: the schema of pgcrypto, as it stands in a statement. */
export function isShipped(
  standing: Omit<ShippedFunction, 'isClosed' | 'name'> & { readonly isOpen: boolean },
  shipped: ShippedFunction,
  crypto: string,
): boolean {
  return (
    [shipped.body, shipped.body.replaceAll('%I', () => crypto)].includes(standing.body) &&
    standing.isDefiner === shipped.isDefiner &&
    standing.call === shipped.call &&
    standing.settings
      .map((each) => each.toLowerCase())
      .toSorted()
      .join() === shipped.settings.join() &&
    !(shipped.isClosed && standing.isOpen)
  );
}

function definitionsIn(text: string): readonly (readonly [string, ShippedFunction])[] {
  return [...text.matchAll(DEFINITION)].map(([, name = '', head = '', , body = '']) => {
    const parameters = /^\(([\s\S]*?)\)\s*(?:returns|language)\b/.exec(head)?.[1] ?? '';
    return [
      `${name}(${parameters.replaceAll(/\s+/g, ' ').trim()})`,
      {
        name,
        body,
        isDefiner: /\bsecurity definer\b/.test(head),
        call: callOf(head),
        settings: [...head.matchAll(/^\s*set (\w+) (?:=|to) (.+?)\s*$/gm)]
          .map(([, key, value]) => `${key}=${settingOf(value ?? '')}`.toLowerCase())
          .toSorted(),
        isClosed: isClosed(text, name),
      },
    ];
  });
}

function isClosed(text: string, name: string): boolean {
  return new RegExp(`revoke (?:execute|all) on (?:function|procedure) safekeep\\.${name}\\b`).test(text);
}

/** As {@link FUNCTION_CALL} has it. */
function callOf(head: string): string {
  const language = /\blanguage (\w+)/.exec(head)?.[1] ?? 'sql';
  const isStrict = /\b(?:strict|returns null on null input)\b/.test(head);
  const volatility = /\b(immutable|stable)\b/.exec(head)?.[1] ?? 'volatile';
  return `${language} ${isStrict ? 'strict ' : ''}${volatility}`;
}

/** Of a row `p` of pg_proc, as a `ShippedFunction` tells its `call`. */
export const FUNCTION_CALL = `(select l.lanname from pg_catalog.pg_language as l where l.oid = p.prolang) || case when p.proisstrict then ' strict ' else ' ' end
    || case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end`;

/** As PostgreSQL keeps it: an empty name in quotes, a text without. */
function settingOf(value: string): string {
  return value === "''" ? '""' : value.replaceAll(/^'|'$/g, '');
}
