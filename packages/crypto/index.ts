export { createSigningKey, signingKeyFromPem, verify, verifierKey, type Signature, type Signer } from './signing.ts';
