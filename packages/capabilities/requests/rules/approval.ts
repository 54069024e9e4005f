import { SafekeepError } from '@safekeep/core';
import { verify, verifierKey, type Signer } from '@safekeep/crypto';
import type { ApprovalProof } from '../model.ts';

/** What is signed. The hash of a plan is one of these rows with this done to each, so no signature serves for anything else. */
export type ApprovalStatement = { readonly act: 'plan' | 'approve'; readonly tenant: string; readonly plan: string };

const KIND = 'erasure-approval';

export function signApproval(signer: Signer, statement: ApprovalStatement, now: Date): ApprovalProof {
  const at = now.toISOString();
  return { at, signature: signer.signDocument(KIND, { ...statement, at }) };
}

/** The key of the approver that made it. Throws `approval-unproven` where it is by nobody of them, or for something else. */
export function approverOf(proof: ApprovalProof, statement: ApprovalStatement, approvers: readonly string[]): string {
  const { keyName, keyId } = proof.signature;
  const known = approvers.find((key) => {
    const made = verifierKey(key);
    return made.keyName === keyName && made.keyId === keyId;
  });
  if (known === undefined) throw unproven(`the key ${keyName} is none of SAFEKEEP_ERASURE_APPROVERS`);
  try {
    verify(KIND, { ...statement, at: proof.at }, proof.signature, known);
  } catch (cause) {
    throw unproven(`the signature of ${keyName} is not for this plan`, cause);
  }
  return known;
}

export function unproven(reason: string, cause?: unknown): SafekeepError {
  return new SafekeepError('approval-unproven', { reason }, { cause });
}
