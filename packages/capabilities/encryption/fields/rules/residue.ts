/** What of the surroundings of a column can hold copies of its plaintext. */
export type Surroundings = {
  readonly replicas: number | null;
  readonly slots: readonly string[];
  readonly archiving: boolean;
  readonly deadRows: number;
  readonly statistics: boolean;
  /** Changes of the table go into the audit log. */
  readonly audited: boolean;
};

/** Where plaintext may still be found once it is gone from the rows, until when, and what to do. Never empty: WAL always has it. */
export function residueOf({ replicas, slots, archiving, deadRows, statistics, audited }: Surroundings): readonly string[] {
  return [
    ...(statistics ? ['pg_stats shows common values of the column until ANALYZE runs on the table'] : []),
    deadRows > 0
      ? `about ${deadRows} dead rows hold it until VACUUM has run with no older transaction open, and their pages until they are written over (VACUUM FULL writes the table anew)`
      : 'freed parts of the table’s pages hold it until they are written over (VACUUM FULL writes the table anew)',
    'the write-ahead log holds it until its files are recycled (a checkpoint or two)',
    ...(archiving ? ['archived write-ahead log holds it as long as the archive is kept'] : []),
    ...(replicas === null || replicas > 0
      ? [`${replicas ?? 'an unknown number of'} replica(s) hold it until they have caught up and vacuumed; delayed ones longer`]
      : []),
    ...(slots.length > 0 ? [`replication slots (${slots.join(', ')}) keep write-ahead log with it until they are read`] : []),
    ...(audited
      ? ['the audit log keeps values that were written before the column was encrypted, sealed under the keys of the persons']
      : []),
    'backups and dumps made before now hold it until they expire',
    'the server’s own log may hold it, where statements or their parameters were logged while the application wrote it, or a refused COPY quoted its line; so may logs, files and caches of the application. Safekeep does not see those',
  ];
}
