import { kinds, type Kind } from '@safekeep/capabilities/discovery';
import { cell, generated } from './markdown.ts';

/** docs/kinds.md: what discovery knows, with the reason for each. */
export function kindPage(): string {
  const rows = kinds.map(
    (kind) =>
      `| <a id="${kind.name}"></a>\`${kind.name}\` | ${cell(kind.title)}${kind.country === undefined ? '' : ` (${kind.country})`} | \`${kind.category}\` | ${classesOf(kind)} | ${kind.validators.join(', ')} | ${kind.needsCue ? 'yes' : ''} | ${codes(kind.examples)} | ${codes(kind.counterExamples)} | ${cell(kind.source)} |`,
  );
  return generated(
    'Kinds of data',
    'What `safekeep scan` and `safekeep detect` look for. Each kind carries its category of the data map ([categories](categories.md)), Art. 9 or 10 GDPR, the HIPAA Safe Harbor identifier, the class of PCI account data, the checks that a value must pass, whether text must have a word for it nearby, examples and counter-examples (both are tests), and its source.',
    [
      '| type | what | category | classes | checks | needs a word beside it | examples | counter-examples | source |',
      '|---|---|---|---|---|---|---|---|---|',
      ...rows,
    ].join('\n'),
  );
}

function classesOf({ gdpr, hipaa, pci }: Kind): string {
  return [gdpr, hipaa === null ? null : `HIPAA ${hipaa}`, pci === null ? null : `PCI ${pci}`]
    .filter((part) => part !== null)
    .join(', ');
}

function codes(values: readonly string[]): string {
  return values.map((value) => `\`${cell(value)}\``).join(' ');
}
