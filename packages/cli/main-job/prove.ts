import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SafekeepError } from '@safekeep/core';
import { count } from '../terminal/progress.ts';
import type { Step } from './step.ts';

type Verified = { readonly size: number; readonly checked: number; readonly faults: readonly { readonly code: string }[] };

export const verifyLog: Step = {
  name: 'log',
  run: async ({ context, perform, files }) => {
    const attested = await perform<{ readonly faults: readonly { readonly code: string }[] }>('audit attest');
    if (!attested.ok)
      throw new SafekeepError('unhealthy', { failed: `the capture: ${attested.result.faults.map(({ code }) => code).join(', ')}` });
    const { result, ok } = await perform<Verified>('audit verify');
    if (!ok) throw new SafekeepError('unhealthy', { failed: `the log: ${result.faults.map(({ code }) => code).join(', ')}` });
    const { result: checkpoint } = await perform<{ readonly text: string }>('audit checkpoint');
    const path = join(context.home, 'reports', 'checkpoint.txt');
    // An import makes this folder; a database of somebody's own had none.
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(path, checkpoint.text, { mode: 0o600 });
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
      const { result, ok } = await perform<{ readonly faults: readonly unknown[] }>('certificate verify', {
        file,
        vkey: verifierKey,
      });
      if (!ok) throw new SafekeepError('unhealthy', { failed: `${file} does not verify: ${JSON.stringify(result.faults)}` });
    }
    return papers.length === 0
      ? 'no paper to verify yet: nobody was erased, and the export is sealed'
      : `${papers.length} signed paper(s) verified without the database`;
  },
};
