import fc from 'fast-check';
import type { TypedValue } from '../sealing/typed-value.ts';

/** A value as an application may give it, as it comes out again, and how long its canonical bytes are. */
export type Sample = { readonly value: TypedValue; readonly canonical: TypedValue; readonly bytes: number };

const texts = fc.string({ unit: 'binary' }).filter((value) => !value.includes('\0'));
const json = fc.json({ noUnicodeString: false }).filter((value) => value.isWellFormed() && !value.includes('\0'));
const same = (value: TypedValue, bytes: number): Sample => ({ value, canonical: value, bytes });
const utf8 = (value: string): number => Buffer.byteLength(value, 'utf8');

const numerics = fc
  .tuple(
    fc.boolean(),
    fc.integer({ min: 0, max: 3 }),
    fc.bigInt({ min: 0n, max: 10n ** 40n }),
    fc.option(fc.stringMatching(/^\d{1,30}$/)),
  )
  .map(([negative, zeros, whole, fraction]): Sample => {
    const magnitude = `${whole}${fraction === null ? '' : `.${fraction}`}`;
    const canonical = `${negative && /[1-9]/.test(magnitude) ? '-' : ''}${magnitude}`;
    const value = `${negative ? '-' : ''}${'0'.repeat(zeros)}${magnitude}`;
    return { value: { type: 'numeric', value }, canonical: { type: 'numeric', value: canonical }, bytes: canonical.length };
  });

/** As PostgreSQL prints dates: no more than four digits are padded, years before 1 end in BC. */
const days = fc.date({ min: new Date('-004712-01-01T00:00:00Z'), max: new Date('+200000-12-31T00:00:00Z'), noInvalidDate: true });
const dateText = (day: Date): { readonly date: string; readonly bc: string } => {
  const year = day.getUTCFullYear();
  const shown = String(year > 0 ? year : 1 - year).padStart(4, '0');
  const pad = (part: number): string => String(part).padStart(2, '0');
  return { date: `${shown}-${pad(day.getUTCMonth() + 1)}-${pad(day.getUTCDate())}`, bc: year > 0 ? '' : ' BC' };
};
const dates = days.map((day): Sample => {
  const { date, bc } = dateText(day);
  return same({ type: 'date', value: `${date}${bc}` }, 4);
});
const instants = fc.tuple(days, fc.integer({ min: 0, max: 999 })).map(([day, micros]): Sample => {
  const { date, bc } = dateText(day);
  const fraction = `${day.toISOString().slice(-4, -1)}${String(micros).padStart(3, '0')}`.replace(/0+$/, '');
  const clock = day.toISOString().slice(-13, -5);
  return same({ type: 'timestamptz', value: `${date} ${clock}${fraction === '' ? '' : `.${fraction}`}+00${bc}` }, 8);
});

/** Values of every type, extremes among them. */
export const typedValues: fc.Arbitrary<Sample> = fc.oneof(
  texts.map((value) => same({ type: 'text', value }, utf8(value))),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => same({ type: 'int', value }, 8)),
  numerics,
  fc.constantFrom('NaN', 'Infinity', '-Infinity').map((value) => same({ type: 'numeric', value }, value.length)),
  dates,
  instants,
  fc.constantFrom('infinity', '-infinity').map((value) => same({ type: 'date', value }, 4)),
  fc.constantFrom('infinity', '-infinity').map((value) => same({ type: 'timestamptz', value }, 8)),
  fc.boolean().map((value) => same({ type: 'bool', value }, 1)),
  json.map((value) => same({ type: 'json', value }, utf8(value))),
  fc.uint8Array().map((value) => same({ type: 'bytea', value: Buffer.from(value) }, value.length)),
);
