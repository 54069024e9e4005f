/** Ways to count time in an integer, by name: `unix-s` is seconds since 1970. */
export const epochUnits = {
  'unix-s': { perSecond: 1n, microsAtZero: 0n },
  'unix-ms': { perSecond: 1_000n, microsAtZero: 0n },
  'unix-us': { perSecond: 1_000_000n, microsAtZero: 0n },
  // Microseconds since 1601-01-01, as browsers of the WebKit family and Windows count.
  'webkit-us': { perSecond: 1_000_000n, microsAtZero: -11_644_473_600_000_000n },
  // Seconds since 2001-01-01, as Apple's Cocoa counts.
  'cocoa-s': { perSecond: 1n, microsAtZero: 978_307_200_000_000n },
} as const;

export type EpochUnit = keyof typeof epochUnits;

// From 1970 to 2000, where PostgreSQL's timestamps begin.
const POSTGRES_EPOCH_MICROS = 946_684_800_000_000n;
const EARLIEST_LIKELY = 631_152_000_000_000n; // 1990-01-01
const LATEST_LIKELY = 2_840_140_800_000_000n; // 2060-01-01

/** Microseconds since 2000-01-01 UTC. */
export function postgresMicros(value: bigint, unit: EpochUnit): bigint {
  const { perSecond, microsAtZero } = epochUnits[unit];
  return value * (1_000_000n / perSecond) + microsAtZero - POSTGRES_EPOCH_MICROS;
}

/** The units in which the whole range lies between 1990 and 2060, the most usual first. */
export function epochCandidates(minimum: bigint, maximum: bigint): EpochUnit[] {
  const isLikely = (value: bigint, unit: EpochUnit): boolean => {
    const micros = postgresMicros(value, unit) + POSTGRES_EPOCH_MICROS;
    return micros >= EARLIEST_LIKELY && micros < LATEST_LIKELY;
  };
  // The keys of the constant above.
  const units = Object.keys(epochUnits) as EpochUnit[];
  return units.filter((unit) => isLikely(minimum, unit) && isLikely(maximum, unit));
}
