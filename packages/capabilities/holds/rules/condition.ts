import { SafekeepError } from '@safekeep/core';
import { comparisons, type Comparison, type Condition } from '../model.ts';

/** Far more than a reviewer can judge. */
const CHARS_AT_MOST = 4000;
const DEPTH_AT_MOST = 16;
const VALUES_AT_MOST = 1000;

/**
 * Reads a condition: `status = 'open' and (amount >= 100 or note is not null)`.
 *
 *     any        = all { "or" all }
 *     all        = term { "and" term }
 *     term       = "(" any ")" | column comparison
 *     comparison = ("=" | "<>" | "!=" | "<" | "<=" | ">" | ">=" | "like" | "ilike") value
 *                | "in" "(" value { "," value } ")" | "is" ["not"] "null"
 *     value      = 'text, with '' for a quote' | number | true | false
 *     column     = name as SQL writes it: plain in small letters, or "quoted"
 *
 * What comes out is data, never SQL: safekeep.hold_predicate makes a statement of it, with the values as parameters.
 *
 * @throws `hold-condition-invalid`, which never repeats a value.
 */
export function parseCondition(text: string): Condition {
  if (text.length > CHARS_AT_MOST) throw invalid(CHARS_AT_MOST, `it is longer than ${CHARS_AT_MOST} characters`);
  return new Parser(tokensOf(text), text.length).whole();
}

/** The same condition in one way of writing it. */
export function formatCondition(condition: Condition): string {
  if ('all' in condition) return condition.all.map(inParentheses).join(' and ');
  if ('any' in condition) return condition.any.map(inParentheses).join(' or ');
  const column =
    PLAIN.test(condition.column) && !WORDS.has(condition.column) ? condition.column : `"${condition.column.replaceAll('"', '""')}"`;
  if ('value' in condition) return `${column} ${condition.is} ${quote(condition.value)}`;
  if ('values' in condition) return `${column} in (${condition.values.map(quote).join(', ')})`;
  return `${column} is ${condition.is}`;
}

function inParentheses(condition: Condition): string {
  return 'all' in condition || 'any' in condition ? `(${formatCondition(condition)})` : formatCondition(condition);
}

function quote(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

const PLAIN = /^[\p{Ll}\p{Lo}_][\p{Ll}\p{Lo}\p{M}\p{Nd}_$]*$/u;
const WORDS: ReadonlySet<string> = new Set(['and', 'or', 'not', 'in', 'is', 'null', 'like', 'ilike', 'true', 'false']);
const TOKEN =
  /\s*(?:'(?<text>(?:[^']|'')*)'|"(?<quoted>(?:[^"]|"")+)"|(?<number>[+-]?\d+(?:\.\d+)?(?![\p{L}\d_.]))|(?<word>[\p{L}_][\p{L}\p{M}\p{Nd}_$]*)|(?<sign><=|>=|<>|!=|[=<>(),]))/uy;

type Token = { readonly at: number; readonly kind: 'text' | 'quoted' | 'number' | 'word' | 'sign'; readonly text: string };

function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = [];
  for (let at = 0; text.slice(at).trim() !== '';) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    const groups = match?.groups ?? {};
    // Exactly one of the groups of the pattern took part.
    const kind = (['text', 'quoted', 'number', 'word', 'sign'] as const).find((each) => groups[each] !== undefined);
    if (match === null || kind === undefined) throw invalid(at, 'neither a column, a value nor a comparison begins here');
    const found = groups[kind] ?? '';
    const mark = kind === 'text' ? "'" : '"';
    tokens.push({ at, kind, text: kind === 'text' || kind === 'quoted' ? found.replaceAll(mark + mark, mark) : found });
    at = TOKEN.lastIndex;
  }
  return tokens;
}

/** Reads tokens from left to right, one decision at a time. */
class Parser {
  readonly #tokens: readonly Token[];
  readonly #end: number;
  #next = 0;
  #values = 0;

  constructor(tokens: readonly Token[], end: number) {
    this.#tokens = tokens;
    this.#end = end;
  }

  whole(): Condition {
    const condition = this.#any(0);
    if (this.#peek() !== undefined) throw this.#fault('and, or, or the end was expected');
    return condition;
  }

  #any(depth: number): Condition {
    if (depth > DEPTH_AT_MOST) throw this.#fault(`parentheses are nested more than ${DEPTH_AT_MOST} deep`);
    const parts = [this.#all(depth)];
    while (this.#takes('or')) parts.push(this.#all(depth));
    const [only, ...more] = parts;
    return only !== undefined && more.length === 0 ? only : { any: parts };
  }

  #all(depth: number): Condition {
    const parts = [this.#term(depth)];
    while (this.#takes('and')) parts.push(this.#term(depth));
    const [only, ...more] = parts;
    return only !== undefined && more.length === 0 ? only : { all: parts };
  }

  #term(depth: number): Condition {
    if (!this.#takes('(')) return this.#comparison(this.#column());
    const inner = this.#any(depth + 1);
    this.#expect(')');
    return inner;
  }

  #comparison(column: string): Condition {
    if (this.#takes('is')) {
      const is = this.#takes('not') ? 'not null' : 'null';
      this.#expect('null');
      return { column, is };
    }
    if (this.#takes('in')) {
      this.#expect('(');
      const values = [this.#value()];
      while (this.#takes(',')) values.push(this.#value());
      this.#expect(')');
      return { column, is: 'in', values };
    }
    return { column, is: this.#sign(), value: this.#value() };
  }

  #sign(): Comparison {
    if (this.#takes('!=')) return '<>';
    const found = comparisons.find((comparison) => this.#takes(comparison));
    if (found === undefined) throw this.#fault('a comparison was expected');
    return found;
  }

  #column(): string {
    const token = this.#peek();
    const isName = token?.kind === 'quoted' || (token?.kind === 'word' && !WORDS.has(token.text.toLowerCase()));
    if (token === undefined || !isName) throw this.#fault('the name of a column was expected');
    // SQL would fold Status to status, and a person might mean the column "Status".
    if (token.kind === 'word' && !PLAIN.test(token.text))
      throw this.#fault('the name of a column with capitals must stand in double quotes');
    this.#next += 1;
    return token.text;
  }

  #value(): string {
    const token = this.#peek();
    const word = token?.text.toLowerCase() ?? '';
    const isValue =
      token?.kind === 'text' || token?.kind === 'number' || (token?.kind === 'word' && (word === 'true' || word === 'false'));
    if (token === undefined || !isValue) throw this.#fault("a value was expected: 'text', a number, true or false");
    this.#values += 1;
    if (this.#values > VALUES_AT_MOST) throw this.#fault(`there are more than ${VALUES_AT_MOST} values`);
    this.#next += 1;
    return token.kind === 'word' ? word : token.text;
  }

  #takes(wanted: string): boolean {
    const token = this.#peek();
    const taken =
      (token?.kind === 'word' && token.text.toLowerCase() === wanted) || (token?.kind === 'sign' && token.text === wanted);
    if (taken) this.#next += 1;
    return taken;
  }

  #expect(wanted: string): void {
    if (!this.#takes(wanted)) throw this.#fault(`${wanted} was expected`);
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#next];
  }

  #fault(reason: string): SafekeepError {
    return invalid(this.#peek()?.at ?? this.#end, reason);
  }
}

function invalid(at: number, reason: string): SafekeepError {
  return new SafekeepError('hold-condition-invalid', { at: at + 1, reason });
}
