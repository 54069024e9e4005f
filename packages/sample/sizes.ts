export type Size = 'small' | 'medium' | 'large';

/** What a size asks for. Everything else (treatments, invoices, messages) follows from the bookings. */
export type Plan = {
  readonly patients: number;
  readonly bookings: number;
  readonly dentists: number;
  readonly rooms: number;
};

/** Twelve years of a family practice, of ten of them, and of a chain (about 1.5 million rows). */
export const plans: Readonly<Record<Size, Plan>> = {
  small: { patients: 1_240, bookings: 12_400, dentists: 3, rooms: 4 },
  medium: { patients: 12_400, bookings: 124_000, dentists: 20, rooms: 24 },
  large: { patients: 19_300, bookings: 193_000, dentists: 32, rooms: 40 },
};
