import pg from 'pg';
import type { TableRef } from '@safekeep/core';

/** A table's or view's name for a statement, both parts quoted. */
export function quoteTable({ schema, table }: TableRef): string {
  return `${quoteName(schema)}.${quoteName(table)}`;
}

export function quoteName(name: string): string {
  return pg.escapeIdentifier(name);
}

/** A text inside of DDL, which takes no parameters. */
export function quoteText(text: string): string {
  return pg.escapeLiteral(text);
}
