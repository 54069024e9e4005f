import type { Id } from '@safekeep/core';
import type { DeclaredName } from './declared-name.ts';

// What a log call accepts, decided by the type checker: a value whose type is `string` may hold a name, an address or a
// message that quotes a row, so only strings known while the program is written, and ids, are let through.

/** Stands in place of a refused value, so that the compiler's complaint says why. */
type Refused<Reason extends string> = { readonly [key in `refused: ${Reason}`]: never };

/** True for `'done'` and unions of such; false for `string`, for `user-${string}` and for branded strings. */
type IsLiteral<Text extends string> =
  // Only a literal makes a property, which can be required; everything else makes an index signature, which cannot.
  Partial<Record<Text, unknown>> extends Record<Text, unknown> ? false : true;

type IsAny<Value> = 0 extends 1 & Value ? true : false;

// `any` fits every type but `never`, so `never` is the one way to refuse it. (Where the event or the fields as a whole are
// `any`, the linter's no-unsafe-argument refuses the call.)
type One<Value> =
  IsAny<Value> extends true
    ? never
    : Value extends number | boolean | bigint | Date | DeclaredName | Id<string> | undefined
      ? Value
      : Value extends string
        ? IsLiteral<Value> extends true
          ? Value
          : Refused<'a string may hold personal data; log an id, a count, a duration or a state'>
        : Refused<'an object may hold personal data; log its id, counts and state one by one'>;

type OneOrMany<Value> =
  IsAny<Value> extends true ? never : Value extends readonly (infer Item)[] ? readonly One<Item>[] : One<Value>;

/** What every line carries of itself. */
export type OwnKey = 'time' | 'level' | 'event' | 'component' | 'pid' | 'withheld';

/**
 * The fields of a log call: numbers, booleans, bigints, dates, ids, literal states, declared names, lists of these, and
 * under `error` whatever was caught (of which only code, class and places in our own files are written).
 */
export type Fields<Given> = [keyof Given] extends [never]
  ? Refused<'an object without known fields may hold anything; leave it out'>
  : string extends keyof Given
    ? Refused<'the names of fields are written out'>
    : {
        readonly [Key in keyof Given]: Key extends OwnKey | symbol | number
          ? Refused<'this name belongs to the line itself'>
          : Key extends 'error'
            ? unknown
            : OneOrMany<Given[Key]>;
      };

type Letter =
  | 'a' | 'b' | 'c' | 'd' | 'e' | 'f' | 'g' | 'h' | 'i' | 'j' | 'k' | 'l' | 'm'
  | 'n' | 'o' | 'p' | 'q' | 'r' | 's' | 't' | 'u' | 'v' | 'w' | 'x' | 'y' | 'z'; // prettier-ignore
type Digit = '0' | '1' | '2' | '3' | '4' | '5' | '6' | '7' | '8' | '9';

type IsKebab<Text extends string> = Text extends `${Letter}${infer Rest}` ? IsKebabRest<Rest> : false;

type IsKebabRest<Text extends string> = Text extends ''
  ? true
  : Text extends `${Letter | Digit}${infer Rest}`
    ? IsKebabRest<Rest>
    : Text extends `-${Letter | Digit}${infer Rest}`
      ? IsKebabRest<Rest>
      : false;

/** The name of an event: `'job-finished'`, written out. */
export type EventName<Text extends string> =
  IsKebab<Text> extends true ? Text : Refused<"an event is a literal in kebab-case, 'job-finished'">;
