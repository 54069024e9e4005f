// The public face of audit, listed by hand. Other capabilities and the composition roots import from here only.
export { auditCapture } from './contributors/capture.ts';
