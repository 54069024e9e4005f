import path from 'node:path';
import { buildPackages } from './build/build-packages.ts';

// npm run build
//
// Writes each package as it is published to dist/NAME: JavaScript, declarations, SQL and a manifest that names them.

const root = path.resolve(import.meta.dirname, '..');
const names = buildPackages(root, path.join(root, 'dist'));
process.stdout.write(`${names.map((name) => `dist/${name}`).join('\n')}\n`);
