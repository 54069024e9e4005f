import type { ReportPart } from './report-document.ts';

export function reportMarkdown(title: string, parts: readonly ReportPart[]): string {
  return `# ${escaped(title)}\n\n${parts.map(markdownOf).join('\n\n')}\n`;
}

function markdownOf(part: ReportPart): string {
  switch (part.kind) {
    case 'heading':
      return `## ${escaped(part.text)}`;
    case 'paragraph':
      return escaped(part.text);
    case 'source':
      return `${escaped(part.caption)}:\n\n${part.text
        .split('\n')
        .map((line) => `    ${line}`)
        .join('\n')}`;
    case 'table': {
      const line = (cells: readonly string[]): string => `| ${part.head.map((_, at) => escaped(cells[at] ?? '')).join(' | ')} |`;
      return [
        `${escaped(part.caption)}:`,
        '',
        line(part.head),
        `|${part.head.map(() => '---').join('|')}|`,
        ...part.rows.map(line),
      ].join('\n');
    }
  }
}

/** Names come from a file of somebody else: nothing in them may become markup, a link or another cell. */
function escaped(text: string): string {
  return text.replaceAll(/[\\`*_{}[\]<>()#+!|~&]/g, (character) => `\\${character}`).replaceAll(/\s*[\r\n]+\s*/g, ' ');
}
