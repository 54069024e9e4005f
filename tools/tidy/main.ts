import path from 'node:path';
import { parseArgs } from 'node:util';
import { longest, type Length } from './longest.ts';
import { readRepository } from './repository.ts';
import type { Fault } from './rule.ts';
import { rules } from './rules.ts';

// npm run tidy [-- --longest]
//
// Checks the rules of STYLE.md that no other tool knows. Exit code 1 when one is broken.

const SHOWN_LENGTHS = 20;

const { values } = parseArgs({ options: { longest: { type: 'boolean', default: false } } });
const files = readRepository(path.resolve(import.meta.dirname, '../..'));
if (values.longest) printLongest();
else process.exitCode = printFaults() === 0 ? 0 : 1;

function printFaults(): number {
  const broken = rules.map((rule) => ({ rule, faults: rule.check(files) })).filter(({ faults }) => faults.length > 0);
  for (const { rule, faults } of broken) {
    print(`${rule.name}: ${rule.why}`);
    for (const fault of faults) print(`  ${where(fault)} ${fault.message}`);
  }
  const count = broken.reduce((sum, { faults }) => sum + faults.length, 0);
  print(`${files.length} files, ${rules.length} rules, ${count} fault(s)`);
  return count;
}

function printLongest(): void {
  const lengths = longest(files, SHOWN_LENGTHS);
  print('longest files');
  for (const file of lengths.files) print(`  ${String(file.lines).padStart(5)} ${file.path}`);
  print('longest functions');
  for (const { lines, name, ...place } of lengths.functions) print(`  ${String(lines).padStart(5)} ${name} ${where(place)}`);
}

function where({ path: file, line }: Pick<Fault | Length, 'path' | 'line'>): string {
  return `${file}:${line}`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
