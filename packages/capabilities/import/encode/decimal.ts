/** A decimal number as the digits of its coefficient and the place of the point: `coefficient × 10^-scale`. */
export type Decimal = { readonly negative: boolean; readonly digits: string; readonly scale: number };

// Powers of ten that a double holds exactly and that are enough for money and measures.
const QUICK_SCALES = [1, 10, 100, 1_000, 10_000] as const;
// Any decimal of up to 15 significant digits survives the way into a double and back (DBL_DIG).
const EXACT_COEFFICIENT = 1e15;

/**
 * The shortest scale (digits after the point) that writes the double exactly as its shortest decimal does, when that is quickly
 * found; -1 otherwise. Then `Math.round(value * 10 ** scale)` is the coefficient.
 */
export function quickScale(value: number): number {
  for (let scale = 0; scale < QUICK_SCALES.length; scale += 1) {
    const power = QUICK_SCALES[scale] ?? 1;
    const coefficient = Math.round(value * power);
    // The division is correctly rounded, so it gives the value back exactly if the decimal names it.
    if (Math.abs(coefficient) >= EXACT_COEFFICIENT) return -1;
    if (coefficient / power === value) return scale;
  }
  return -1;
}

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,5}))?$/;

/** Reads `-12.50`, `.5`, `1e-7`. Undefined for anything that is no finite decimal number. */
export function parseDecimal(text: string): Decimal | undefined {
  const [matched, sign = '', whole = '', fraction = '', exponent = '0'] = DECIMAL.exec(text) ?? [];
  if (matched === undefined || whole.length + fraction.length === 0) return undefined;
  const scale = fraction.length - Number(exponent);
  const digits = `${whole}${fraction}${'0'.repeat(Math.max(0, -scale))}`;
  return { negative: sign === '-', digits: digits.replace(/^0+(?=\d)/, ''), scale: Math.max(0, scale) };
}
