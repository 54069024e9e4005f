import type { ReportPart } from './report-document.ts';

/** One page that needs nothing else: no script, no request, light or dark as the reader's system is. */
export function reportHtml(title: string, parts: readonly ReportPart[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escaped(title)}</h1>
${parts.map(htmlOf).join('\n')}
</main>
</body>
</html>
`;
}

const STYLE = `
:root { color-scheme: light dark; --line: light-dark(#c4c9d1, #454c57); --head: light-dark(#eef1f5, #262b33); --bad: light-dark(#a3161c, #ff8f8f) }
body { margin: 0; background: light-dark(#fff, #16191e); color: light-dark(#1a1d21, #e6e9ee); font: 1rem/1.5 system-ui, sans-serif }
main { max-width: 80rem; margin: 0 auto; padding: 1.5rem }
h1 { font-size: 1.6rem; line-height: 1.25; overflow-wrap: anywhere } h2 { font-size: 1.2rem; margin-top: 2rem }
.scroll { overflow-x: auto; margin: 1rem 0 } .scroll:focus-visible { outline: 3px solid #4c8bf5 }
table { border-collapse: collapse; font-size: .9rem } caption { text-align: left; font-weight: 600; padding: .25rem 0 }
th, td { border: 1px solid var(--line); padding: .3rem .6rem; text-align: left; vertical-align: top } th { background: var(--head) }
td { overflow-wrap: anywhere; min-width: 4rem; max-width: 34rem } .bad { color: var(--bad); font-weight: 600 }
pre { overflow-x: auto; border: 1px solid var(--line); padding: .6rem; font-size: .85rem }
`;

const BAD: ReadonlySet<string> = new Set(['DIFFERENT', 'not-migrated']);

function htmlOf(part: ReportPart): string {
  switch (part.kind) {
    case 'heading':
      return `<h2>${escaped(part.text)}</h2>`;
    case 'paragraph':
      return `<p>${escaped(part.text)}</p>`;
    case 'source':
      return `<p>${escaped(part.caption)}</p>\n<pre tabindex="0">${escaped(part.text)}</pre>`;
    case 'table':
      return tableHtml(part);
  }
}

/** Scrolls sideways by itself, and can be reached by keyboard to do so. */
function tableHtml({ caption, head, rows }: Extract<ReportPart, { kind: 'table' }>): string {
  const headCells = head.map((cell) => `<th scope="col">${escaped(cell)}</th>`).join('');
  const cell = (text: string): string => (BAD.has(text) ? `<td class="bad">${escaped(text)}</td>` : `<td>${escaped(text)}</td>`);
  const body = rows.map((row) => `<tr>${head.map((_, at) => cell(row[at] ?? '')).join('')}</tr>`).join('\n');
  return `<div class="scroll" role="region" aria-label="${escaped(caption)}" tabindex="0">
<table><caption>${escaped(caption)}</caption><thead><tr>${headCells}</tr></thead>
<tbody>
${body}
</tbody></table></div>`;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
