/**
 * Settings under which a PostgreSQL server, 15 to 18, writes no value of a row and no parameter into its own log.
 *
 * - An ERROR's message quotes what it could not convert (`invalid input syntax for type integer: "…"`), and no setting
 *   shortens a message: so errors and warnings are not logged by the server at all. Whoever ran the statement is told, and
 *   Safekeep's own log has the SQLSTATE. LOG (start, stop, crashes, checkpoints), FATAL and PANIC stay.
 * - `terse` leaves out DETAIL (`Key (email)=(…) already exists`, `Failing row contains (…)`), HINT, QUERY and CONTEXT.
 * - The text of a statement holds its literals, so it is never logged with a message; nor are parameters.
 *
 * What remains: RAISE LOG in a function of the user's own, which asks for a line in this log in so many words.
 */
export const quietServerLog = {
  log_min_messages: 'log',
  log_error_verbosity: 'terse',
  log_min_error_statement: 'panic',
  log_statement: 'none',
  log_min_duration_statement: '-1',
  log_min_duration_sample: '-1',
  log_transaction_sample_rate: '0',
  log_parameter_max_length: '0',
  log_parameter_max_length_on_error: '0',
  debug_print_parse: 'off',
  debug_print_rewritten: 'off',
  debug_print_plan: 'off',
} as const;
