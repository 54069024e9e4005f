import assert from 'node:assert/strict';
import { test } from 'node:test';
import { declarationsOf } from './declarations.ts';

test('declarations name each encrypted column, what it holds and what it can be searched by', () => {
  const text = declarationsOf([
    { name: 'public.people.email', type: 'text', nullable: true, mode: 'client', search: ['exact', 'last4'] },
    { name: 'public."People"."Born"', type: 'date', nullable: false, mode: 'database', search: [] },
  ]);
  assert.match(text, /"public\.people\.email": \{ value: string \| null; search: "exact" \| "last4"; mode: "client" \};/);
  assert.match(text, /"public\.\\"People\\"\.\\"Born\\"": \{ value: string \| Date; search: never; mode: "database" \};/);
});
