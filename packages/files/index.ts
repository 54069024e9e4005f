// The public face of files, listed by hand. Other packages import from here only.
export { HOME_KEYS, homeKey, homeKeyPath, readHomeKey, refuseLostKey, type HomeKeyName } from './home-keys.ts';
export { privateFiles, readPrivate, syncFolder, type PrivateFiles, type Unwritable } from './private-files.ts';
