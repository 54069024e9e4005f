/** What `apply` writes behind the user's own comment of a column, with one line break before it where there is one: `[safekeep category=… protect=…]`. */
const MARK = /\n?\[safekeep [^\]\n]*\]$/;

/** The user's own part of a comment; null where there is none, for PostgreSQL keeps no empty comment. Exact: any other line break before the mark is theirs. */
export function withoutMark(comment: string | null): string | null {
  return comment?.replace(MARK, '') || null;
}
