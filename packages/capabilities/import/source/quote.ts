/** A name as SQLite reads it back unchanged. */
export function quoteSqlite(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
