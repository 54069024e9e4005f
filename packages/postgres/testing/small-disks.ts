import { execFileSync } from 'node:child_process';
import type { TestContext } from 'node:test';

export type SmallDisks = {
  /** Mounts a file system of its own on this folder, for this user alone. False, and the test skipped, where this user may mount none. */
  readonly mount: (place: string, size: string) => boolean;
  /** As mount(8) takes them: `ro`, `size=4m`. */
  readonly remount: (place: string, options: string) => void;
};

/** File systems that can be full, or be read only also for an administrator. Taken away when the test ends. */
export function smallDisks(t: TestContext): SmallDisks {
  const mounted: string[] = [];
  // To be called before whatever makes the folders: what ends a test runs in the order it was given, and a folder with a disk in it is not removed.
  t.after(() => mounted.forEach((place) => execFileSync('umount', [place])));
  return {
    mount: (place, size) => {
      try {
        execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=0700`, 'tmpfs', place], { stdio: 'ignore' });
      } catch {
        // No fault of what is tested: a user without rights cannot have a full disk made for them.
        t.skip('this user may not mount a small disk');
        return false;
      }
      mounted.push(place);
      return true;
    },
    remount: (place, options) => execFileSync('mount', ['-o', `remount,${options}`, place]),
  };
}
