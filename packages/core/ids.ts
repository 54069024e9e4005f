import { v7 as uuidv7, validate, version } from 'uuid';

declare const kind: unique symbol;

/** A UUIDv7 (RFC 9562) that knows what it names, so that a run id cannot be passed for a job id. */
export type Id<Kind extends string> = string & { readonly [kind]: Kind };

/** A new UUIDv7. Made by the client, never by the database: rows can be written before they are numbered, on any shard. */
export function newId<Kind extends string>(): Id<Kind> {
  // The brand exists only in the types; a fresh UUID is an id of whatever kind its maker says.
  return uuidv7() as Id<Kind>;
}

/** Reads an id that came from outside. `undefined` when the text is not a UUIDv7. */
export function parseId<Kind extends string>(text: string): Id<Kind> | undefined {
  const lower = text.toLowerCase();
  // Checked on this line, so the brand is earned.
  return validate(lower) && version(lower) === 7 ? (lower as Id<Kind>) : undefined;
}
