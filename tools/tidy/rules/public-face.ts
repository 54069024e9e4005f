import { ownPackage, placeOf, resolveRelative } from '../places.ts';
import { isTypeScript, type Fault, type RepositoryFile, type Rule } from '../rule.ts';
import { referencesOf } from '../syntax.ts';

/** Reads the definitions themselves, to write the reference pages from them. */
const GENERATORS = new Set(['tools/docs.ts']);

export const publicFace: Rule = {
  name: 'public-face',
  why: 'A package and a capability are known by their index.ts only, so that everything behind it can change without asking.',
  check: (files) => files.filter((file) => isTypeScript(file) && !GENERATORS.has(file.path)).flatMap(checkFile),
};

function checkFile(file: RepositoryFile): Fault[] {
  const from = placeOf(file.path);
  return referencesOf(file).flatMap(({ specifier, line }) => {
    const fault = (message: string): Fault[] => [{ path: file.path, line, message }];
    if (!specifier.startsWith('.')) {
      const own = ownPackage(specifier);
      if (own === undefined) return [];
      if (/\.[a-z]+$/.test(own.subpath)) return fault(`${specifier} names a file of another package; import the package`);
      const isItself = own.name === from.packageName && (own.name !== 'capabilities' || own.subpath === from.capability);
      return isItself
        ? fault(`${specifier} is this ${from.capability === undefined ? 'package' : 'capability'} itself; import the file`)
        : [];
    }
    const target = resolveRelative(file.path, specifier);
    const to = placeOf(target);
    if (to.packageName !== from.packageName)
      return to.packageName === undefined
        ? []
        : fault(`${specifier} reaches into packages/${to.packageName}; import the package by its name`);
    const crossesCapability = to.capability !== undefined && to.capability !== from.capability;
    if (crossesCapability && to.within !== 'index.ts')
      return fault(`${specifier} reaches into ${to.capability}; import its index.ts`);
    return [];
  });
}
