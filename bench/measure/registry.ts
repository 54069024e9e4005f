import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { faultsOf, type Bench } from './bench.ts';

/** A bench is known by its file's name; there is no list to keep. */
export type BenchFile = { readonly name: string; readonly file: string };

const NOT_BENCHES: ReadonlySet<string> = new Set(['main.ts']);

/** Every bench of a folder, by name. */
export async function listBenches(folder: string): Promise<readonly BenchFile[]> {
  const names = await readdir(folder);
  const files = names.filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts') && !NOT_BENCHES.has(name));
  return files.sort().map((name) => ({ name: name.slice(0, -'.ts'.length), file: join(folder, name) }));
}

/** @throws an Error that names what is wrong with the definition: a broken bench must not give figures. */
export async function loadBench(file: string): Promise<Bench> {
  const loaded: unknown = await import(pathToFileURL(file).href);
  if (!exportsBench(loaded)) throw new Error(`${file} exports no \`bench\` made by defineBench.`);
  const faults = faultsOf(loaded.bench);
  if (faults.length > 0) throw new Error(`${file} is broken: ${faults.join(' ')}`);
  return loaded.bench;
}

function exportsBench(loaded: unknown): loaded is { readonly bench: Bench } {
  return typeof loaded === 'object' && loaded !== null && 'bench' in loaded && typeof loaded.bench === 'object';
}
