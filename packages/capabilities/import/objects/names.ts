import { createHash } from 'node:crypto';

/** NAMEDATALEN - 1: PostgreSQL cuts longer names silently, so two long names could become one. */
export const NAME_BYTES_LIMIT = 63;

/** Column names that every PostgreSQL table has already (manual, 5.6 System Columns). */
const SYSTEM_COLUMNS: ReadonlySet<string> = new Set(['tableoid', 'xmin', 'cmin', 'xmax', 'cmax', 'ctid']);

const HASH_LETTERS = 8;

/** `name` itself where it fits, else its beginning and a hash of the whole: the same name always gives the same result. */
export function shortenName(name: string): string {
  if (Buffer.byteLength(name) <= NAME_BYTES_LIMIT) return name;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, HASH_LETTERS);
  return `${cutToBytes(name, NAME_BYTES_LIMIT - HASH_LETTERS - 1)}_${hash}`;
}

/** Cuts between characters, never inside one. */
function cutToBytes(text: string, limit: number): string {
  let bytes = 0;
  let kept = '';
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > limit) break;
    kept += character;
  }
  return kept;
}

/** `OrderID` -> `order_id`, `Order Details` -> `order_details`, `HTTPServer` -> `http_server`. */
export function snakeCase(name: string): string {
  return name
    .replaceAll(/(\p{Ll}|\p{Nd})(\p{Lu})/gu, '$1_$2')
    .replaceAll(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1_$2')
    .replaceAll(/[^\p{L}\p{N}]+/gu, '_')
    .replaceAll(/^_+|_+$/g, '')
    .toLowerCase();
}

/** Names that must differ from one another: the relations of a schema, or the columns of a table. */
export type Namespace = {
  /** The name to use for `wanted`: shortened, and numbered where it is taken. */
  readonly claim: (wanted: string) => string;
};

export function newNamespace(taken: Iterable<string> = []): Namespace {
  const used = new Set<string>(taken);
  return {
    claim(wanted) {
      let name = shortenName(wanted);
      for (let number = 2; used.has(name); number += 1) name = shortenName(`${wanted}_${number}`);
      used.add(name);
      return name;
    },
  };
}

export type Naming = 'exact' | 'snake-case';

/** What PostgreSQL accepts as the name of `source`, before clashes are resolved: it refuses empty names. */
export function wantedName(source: string, naming: Naming, ifEmpty: string): string {
  const name = naming === 'exact' ? source : snakeCase(source);
  return name === '' ? ifEmpty : name;
}

export function newColumnNamespace(): Namespace {
  return newNamespace(SYSTEM_COLUMNS);
}
