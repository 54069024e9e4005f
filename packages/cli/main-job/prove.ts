import { dirname, join } from 'node:path';
import { SafekeepError } from '@safekeep/core';
import { privateFiles } from '@safekeep/files';
import { count } from '../terminal/progress.ts';
import type { Step } from './step.ts';

const { makeFolder, replaceFile } = privateFiles();

type Faulty = { readonly faults: readonly { readonly code: string }[] };
type Verified = Faulty & { readonly size: number; readonly checked: number };

export const verifyLog: Step = {
  name: 'log',
  run: async ({ context, perform, files }) => {
    const attested = await perform<Faulty>('audit attest');
    if (!attested.ok) throw unproven('audit attest', `the capture (${codesOf(attested.result)})`);
    const { result, ok } = await perform<Verified>('audit verify');
    if (!ok) throw unproven('audit verify', `the log (${codesOf(result)})`);
    const { result: checkpoint } = await perform<{ readonly text: string }>('audit checkpoint');
    const path = join(context.home, 'reports', 'checkpoint.txt');
    // An import makes this folder; a database of somebody's own had none.
    await makeFolder(dirname(path));
    await replaceFile(path, checkpoint.text);
    files.set('checkpoint', path);
    return `${count(result.size)} event(s) in the signed tree, ${count(result.checked)} checked, no fault`;
  },
};

export const verifyCertificate: Step = {
  name: 'proof',
  run: async ({ context, perform, files, isSample }) => {
    const { verifierKey } = await context.signer();
    // An export that is sealed is verified by whoever opens it.
    const papers = [files.get('certificate'), isSample ? files.get('export') : undefined].filter((file) => file !== undefined);
    for (const file of papers) {
      const { ok } = await perform('certificate verify', { file, vkey: verifierKey });
      if (!ok) throw unproven(`certificate verify ${file} --vkey ${verifierKey}`, `${file} does not verify`);
    }
    return papers.length === 0
      ? `no paper to verify yet: nobody was erased, and ${files.has('export') ? 'the export is sealed' : 'nobody exported'}`
      : `${papers.length} signed paper(s) verified without the database`;
  },
};

function codesOf({ faults }: Faulty): string {
  return faults.map(({ code }) => code).join(', ');
}

function unproven(command: string, failed: string): SafekeepError {
  return new SafekeepError('unproven', { failed, command: `safekeep ${command}` });
}
