import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (options: { readonly type: 'minor' | 'major' }) => void;

let collect: Collect | undefined;

/**
 * Keeps V8's space for new objects as small as it is. Rows are garbage as soon as they are sent, and a nursery that grows to its
 * default of 128 MB (Node 24, 64 bits) holds nothing but them: an import of 1.5 million rows needs 100 MB less and the same time.
 * For the whole process and for good: V8 has no narrower switch once it runs.
 */
export function keepNurserySmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

/**
 * Gives back what was received and read. The bytes of a socket lie outside of V8's heap, which sees no reason to collect before
 * 64 MB of them have gathered as long as nobody makes objects.
 */
export function collectReceived(): void {
  collect ??= exposedCollector();
  collect({ type: 'minor' });
}

/**
 * Gives back everything that nobody holds any more. What lived a little is in V8's old space, which doubles before it is looked
 * at; whoever works through a long stream in bounded memory says when.
 */
export function collectPassed(): void {
  collect ??= exposedCollector();
  collect({ type: 'major' });
}

/** The collector of https://v8.dev/docs/embed, as `--expose-gc` would have made it a global of the whole program. */
function exposedCollector(): Collect {
  setFlagsFromString('--expose-gc');
  // `gc` is what the flag puts into a new context.
  return runInNewContext('gc') as Collect;
}
