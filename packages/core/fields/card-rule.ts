import { categoryOf } from '../datamap/categories/taxonomy.ts';

export type CardRule = 'number' | 'forbidden' | null;

/** What the categories of a column ask for: a number is checked and shown in part, sensitive authentication data is refused. */
export function cardRuleOf(categories: readonly string[]): CardRule {
  const classes = categories.map((category) => categoryOf(category)?.pci);
  if (classes.includes('sad')) return 'forbidden';
  return classes.includes('pan') ? 'number' : null;
}
