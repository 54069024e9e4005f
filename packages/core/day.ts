/** Of a moment, in UTC: `YYYY-MM-DD`. */
export function dayOf(moment: Date): string {
  return moment.toISOString().slice(0, 10);
}

/** The beginning, in UTC, of a day that a person wrote as `YYYY-MM-DD`; undefined where there is no such day: `Date` takes 30 February for 2 March. */
export function parseDay(text: string): Date | undefined {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return undefined;
  const day = new Date(`${text}T00:00:00Z`);
  return Number.isNaN(day.getTime()) || dayOf(day) !== text ? undefined : day;
}
