export {
  checkpointText,
  openCheckpoint,
  parseCheckpointText,
  peekCheckpoint,
  signCheckpoint,
  type Checkpoint,
} from './checkpoint.ts';
export { append, edgeRoot, emptyEdge, readEdge, type ChangedTile, type Edge } from './edge.ts';
export { TlogError, type TlogErrorCode } from './errors.ts';
export { emptyRoot, HASH_BYTES, leafHash, nodeHash, rootOfFullTree, sameHash, type Hash } from './hashing.ts';
export { cosignatureTime, noteVerifier, parseVerifierKey, type NoteSigner, type NoteVerifier } from './keys.ts';
export { addSignatures, openNote, parseNote, signNote, type Note, type SignatureLine } from './note.ts';
export { formatProof, parseProof, verifyProof, type ProofFile } from './proof-file.ts';
export { consistencyProof, inclusionProof, rootFromTiles, verifyConsistency, verifyInclusion } from './proofs.ts';
export {
  decodeEntryBundle,
  decodeTile,
  encodeEntryBundle,
  encodeTile,
  ENTRY_BYTES_AT_MOST,
  isPruned,
  parseTilePath,
  readEntryBundle,
  readTile,
  TILE_WIDTH,
  tileInTree,
  tilePath,
  tilesOfTree,
  type Tile,
  type TileReader,
} from './tiles.ts';
export { addCheckpointBody, cosign, type WitnessTransport } from './witness.ts';
