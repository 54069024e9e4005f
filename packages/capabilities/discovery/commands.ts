import type { Command } from '../capability.ts';
import { detect } from './text/commands.ts';

export const commands: readonly Command[] = [detect];
