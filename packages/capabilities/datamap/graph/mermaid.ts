import { subjectsOfTable, type DataMap } from '@safekeep/core';
import { linesOf } from './layout.ts';

/** The map as a Mermaid flowchart: persons as rounded boxes, arrows towards them. */
export function mermaidOf(map: DataMap): string {
  const lines = linesOf(map);
  const names = [
    ...new Set([...[...map.subjects.values()].map(({ table }) => table), ...lines.flatMap(({ from, to }) => [from, to])]),
  ];
  // Names may hold anything; ids of our own cannot collide with words of the language.
  const ids = new Map(names.map((name, index) => [name, `t${index}`]));
  const nodes = names.map((name) => {
    const subjects = subjectsOfTable(map, name).map((subject) => subject.name);
    return subjects.length === 0
      ? `  ${ids.get(name)}["${escape(name)}"]`
      : `  ${ids.get(name)}(["${escape(`${subjects.join(', ')}: ${name}`)}"])`;
  });
  const edges = lines.map(
    ({ from, to, subject, meaning }) =>
      `  ${ids.get(from)} -->|"${escape(meaning === null ? subject : `${subject}, ${meaning}`)}"| ${ids.get(to)}`,
  );
  return ['flowchart RL', ...nodes, ...edges].join('\n');
}

/** Mermaid knows HTML entities by number, with # for &. */
function escape(text: string): string {
  return text.replaceAll(/[^\p{L}\p{N} ._:,-]/gu, (letter) => `#${letter.codePointAt(0) ?? 63};`);
}
