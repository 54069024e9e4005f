// What a guide says to type. Fences of `sh` hold commands; fences of `console` hold commands after `$ ` and what they print. Comments of
// HTML, which no reader sees, say the rest:
//
//   <!-- not run: REASON -->       before a fence: it cannot run here
//   <!-- needs: PROGRAM … -->      before a fence: it is left out where one of them is missing
//   <!-- exits 1 -->               before a fence: its last command ends with this code
//   <!-- save: FILE -->            before a fence: its text is a file that a later command takes
//   <!-- first: COMMAND -->        what happened before, and is not the reader's to type
//   <!-- here: TEXT = VALUE -->    from here on TEXT in commands stands for VALUE; /VALUE/: for what it finds last in what was printed
//
//   <!-- given: DECLARATIONS -->   what the fences of `ts` of this page rest on; typescript.test.ts compiles them one after the other
//   <!-- stage: FOLDER -->         whose files the guide begins with
//
// Before a fence several may stand, one a line.

export type Step =
  | {
      readonly kind: 'command';
      readonly text: string;
      readonly line: number;
      readonly exits: number;
      readonly needs: readonly string[];
    }
  | { readonly kind: 'file'; readonly name: string; readonly text: string }
  | { readonly kind: 'stands-for'; readonly text: string; readonly value: string };

export type Guide = {
  readonly stage: string | undefined;
  readonly steps: readonly Step[];
  /** Fences that cannot run here, each with its reason. */
  readonly notRun: readonly { readonly line: number; readonly reason: string }[];
  /** What nobody would run and nobody has excused: a command in a fence of no language. */
  readonly faults: readonly string[];
};

type Fence = { readonly language: string; readonly lines: readonly string[]; readonly line: number };

export function readGuide(markdown: string): Guide {
  const steps: Step[] = [];
  const notRun: { line: number; reason: string }[] = [];
  const faults: string[] = [];
  let stage: string | undefined;
  let before = new Map<string, string>();
  for (const part of partsOf(markdown)) {
    if (typeof part === 'string') {
      const [, word, rest = ''] = /^<!-- (stage:|not run:|needs:|save:|first:|here:|exits) (.+) -->$/.exec(part) ?? [];
      if (word === undefined) before = new Map();
      else if (word === 'stage:') stage = rest;
      else if (word === 'first:') steps.push({ ...COMMAND, text: rest });
      else if (word === 'here:') steps.push(standsFor(rest));
      else before.set(word, rest);
      continue;
    }
    const [reason, file] = [before.get('not run:'), before.get('save:')];
    if (reason !== undefined) notRun.push({ line: part.line, reason });
    else if (file !== undefined) steps.push({ kind: 'file', name: file, text: `${part.lines.join('\n')}\n` });
    else
      steps.push(...commandsOf(part, { exits: Number(before.get('exits') ?? 0), needs: before.get('needs:')?.split(' ') ?? [] }));
    if (part.language === '' && part.lines.some((line) => /^(\$ |npx |npm )/.test(line)))
      faults.push(`line ${part.line}: commands stand in a fence that is neither sh nor console`);
    before = new Map();
  }
  return { stage, steps, notRun, faults };
}

const COMMAND = { kind: 'command', text: '', line: 0, exits: 0, needs: [] as readonly string[] } as const;

function standsFor(text: string): Step {
  const place = text.indexOf(' = ');
  return { kind: 'stands-for', text: text.slice(0, place), value: text.slice(place + 3) };
}

/** The fences whole, and everything else line by line. */
function partsOf(markdown: string): readonly (Fence | string)[] {
  const parts: (Fence | string)[] = [];
  let open: { readonly language: string; readonly lines: string[]; readonly line: number; readonly indent: string } | undefined;
  for (const [place, line] of markdown.split('\n').entries()) {
    const fence = /^(\s*)```(\w*)\s*$/.exec(line);
    if (open === undefined && fence !== null)
      open = { language: fence[2] ?? '', lines: [], line: place + 1, indent: fence[1] ?? '' };
    else if (open === undefined) parts.push(line.trim());
    else if (fence !== null) {
      parts.push(open);
      open = undefined;
    } else open.lines.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line);
  }
  return parts;
}

type Expected = { readonly exits: number; readonly needs: readonly string[] };

function commandsOf({ language, lines, line }: Fence, { exits, needs }: Expected): readonly Step[] {
  const isConsole = language === 'console';
  if (!isConsole && language !== 'sh') return [];
  const commands: { text: string; line: number }[] = [];
  let continued = false;
  for (const [place, text] of lines.entries()) {
    const last = commands.at(-1);
    if (continued && last !== undefined) last.text += `\n${text}`;
    else if (isConsole ? text.startsWith('$ ') : text.trim() !== '' && !text.startsWith('#'))
      commands.push({ text: isConsole ? text.slice(2) : text, line: line + place + 1 });
    else continue;
    continued = text.endsWith('\\');
  }
  return commands.map((each, place) => ({ ...COMMAND, ...each, needs, exits: place === commands.length - 1 ? exits : 0 }));
}
