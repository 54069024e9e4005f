import type { Command } from '../capability.ts';

export const commands: readonly Command[] = [];
