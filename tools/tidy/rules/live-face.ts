import type { ModuleExportName } from 'oxc-parser';
import { ownPackage, placeOf, resolveRelative } from '../places.ts';
import { isTypeScript, type Fault, type RepositoryFile, type Rule } from '../rule.ts';
import { lineAt, visit } from '../syntax.ts';

export const liveFace: Rule = {
  name: 'live-face',
  why: 'What a capability offers and nobody takes is kept working for nobody, and hides from every other check what is dead behind it.',
  check: (files) => {
    const sources = files.filter(isTypeScript);
    const taken = new Set(sources.flatMap(takenBy));
    return sources.flatMap((file) => checkFace(file, taken));
  },
};

/** Types give names to the parts of what is taken, and may stand beside it. */
function checkFace(file: RepositoryFile, taken: ReadonlySet<string>): Fault[] {
  const { capability, within } = placeOf(file.path);
  if (capability === undefined || within !== 'index.ts') return [];
  const faults: Fault[] = [];
  visit(file, {
    ExportNamedDeclaration: ({ exportKind, specifiers }) => {
      if (exportKind === 'type') return;
      for (const { exported, exportKind: kind, start } of specifiers) {
        const name = nameOf(exported);
        if (kind === 'type' || taken.has(`${capability} ${name}`)) continue;
        faults.push({ path: file.path, line: lineAt(file, start), message: `nobody outside of ${capability} takes ${name}` });
      }
    },
  });
  return faults;
}

/** `audit sequence`: a value of a capability's face that a file of another place imports. */
function takenBy(file: RepositoryFile): string[] {
  const faceOf = (specifier: string): string | undefined => {
    const own = ownPackage(specifier);
    if (own?.name === 'capabilities') return own.subpath;
    if (!specifier.startsWith('.')) return undefined;
    const { capability, within } = placeOf(resolveRelative(file.path, specifier));
    return within === 'index.ts' && capability !== placeOf(file.path).capability ? capability : undefined;
  };
  const taken: string[] = [];
  visit(file, {
    ImportDeclaration: ({ source, specifiers }) => {
      const face = faceOf(source.value);
      if (face === undefined) return;
      for (const specifier of specifiers)
        if (specifier.type === 'ImportSpecifier') taken.push(`${face} ${nameOf(specifier.imported)}`);
    },
    ImportExpression: ({ source }) => {
      const face = source.type === 'Literal' && typeof source.value === 'string' ? faceOf(source.value) : undefined;
      if (face === undefined) return;
      // What is taken out of it later can be any word of the file.
      for (const [word] of file.text.matchAll(/\w+/g)) taken.push(`${face} ${word}`);
    },
  });
  return taken;
}

function nameOf(name: ModuleExportName): string {
  return name.type === 'Identifier' ? name.name : name.value;
}
