import { categories, mapJsonSchema, problemCatalogue } from '@safekeep/core';
import { cell, generated } from './markdown.ts';

/** docs/map-problems.md: everything that `safekeep map check` finds, by code. */
export function mapProblemPage(): string {
  const rows = Object.entries(problemCatalogue)
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([code, { means, mend }]) => `| <a id="${code}"></a>\`${code}\` | ${cell(means)} | ${cell(mend)} |`);
  return generated(
    'Problems of the data map',
    'What `safekeep map check` finds. Each problem comes with its table and column, its place in the file, and a mend of its own where there is a better one than the one below.',
    ['| code | what it means | what to do |', '|---|---|---|', ...rows].join('\n'),
  );
}

/** docs/categories.md: the taxonomy with the classes that it carries. */
export function categoryPage(): string {
  const rows = categories.map(({ key, origin, replacedBy, dpv, gdpr, hipaa, pci, means }) => {
    const remark = [means, replacedBy === null ? null : `newer key: ${replacedBy}`].filter((part) => part !== null).join('; ');
    return `| \`${key}\` | ${origin} | ${dpv?.split(/[/]/).at(-1) ?? ''} | ${gdpr ?? ''} | ${hipaa ?? ''} | ${pci ?? ''} | ${cell(remark)} |`;
  });
  return generated(
    'Categories',
    'What a column of the data map may hold. Keys of fideslang (ethyca/fideslang, CC BY 4.0) and ours below them; with each the class of the Data Privacy Vocabulary that corresponds (w3id.org/dpv), Art. 9 or 10 GDPR, the HIPAA Safe Harbor identifier (45 CFR 164.514(b)(2)(i)) and the class of PCI account data.',
    ['| key | from | DPV | GDPR | HIPAA | PCI | |', '|---|---|---|---|---|---|---|', ...rows].join('\n'),
  );
}

/** docs/datamap.schema.json: for editors. */
export function mapSchemaFile(): string {
  return `${JSON.stringify(mapJsonSchema(), null, 2)}\n`;
}
