// The public face of files, listed by hand. Other packages import from here only.
export { privateFiles, readPrivate, syncFolder, type PrivateFiles, type Unwritable } from './private-files.ts';
