import type { Distinctness, Expr, FunctionCallOrder, FunctionTail } from 'sqlite3-parser';
import { arithmeticOperand, translate, type Setting } from './translate.ts';
import { asNumber, asText, isNumber, Untranslatable, type Value } from './value.ts';

/** A call of a function, its name in lower case. */
export type Call = {
  readonly name: string;
  readonly args: readonly Expr[];
  readonly distinctness?: Distinctness | undefined;
  readonly orderBy?: FunctionCallOrder | undefined;
  readonly filterOver?: FunctionTail | undefined;
};

export function arg(setting: Setting, args: readonly Expr[], at: number): Value {
  const node = args[at];
  if (node === undefined) throw new Untranslatable('a function lacks an argument');
  return translate(setting, node);
}

export function textArg(setting: Setting, args: readonly Expr[], at: number): Value {
  return asText(arg(setting, args, at));
}

export function integerArg(setting: Setting, args: readonly Expr[], at: number): Value {
  const held = arithmeticOperand(setting, arg(setting, args, at));
  if (held.kind !== 'integer') throw new Untranslatable(`${held.sql} is not an integer in every row`);
  return held;
}

/** The mathematical functions give NULL for a text that is no number. */
export function numberArg(setting: Setting, args: readonly Expr[], name: string): Value {
  const held = asNumber(arg(setting, args, 0));
  if (!isNumber(held)) throw new Untranslatable(`${name}() of ${held.sql}, which is not a number`);
  return held;
}
