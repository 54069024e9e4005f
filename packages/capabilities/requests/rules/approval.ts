import { SafekeepError } from '@safekeep/core';
import { verify, verifierKey, type Signer } from '@safekeep/crypto';
import type { ApprovalProof } from '../model.ts';

/** What is signed. The hash of a plan is one of these rows with this done to each, so no signature serves for anything else. */
export type ApprovalStatement = { readonly act: 'plan' | 'approve'; readonly tenant: string; readonly plan: string };

const KIND = 'erasure-approval';

/** So long a plan can be approved; whoever looks again later looks at what is there then. */
export const PLAN_DAYS = 7;

/** The clocks of two machines may differ by so much. */
const CLOCKS_DIFFER_MS = 5 * 60_000;

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

/**
 * The key of the approver that signed a plan, no longer ago than a plan can be approved: what the database says of its age nobody has signed.
 *
 * @throws `approval-unproven`, `erasure-plan-expired`
 */
export function plannerOf(
  proof: ApprovalProof | null,
  { tenant, plan, approvers, now }: Omit<ApprovalStatement, 'act'> & { readonly approvers: readonly string[]; readonly now: Date },
): string {
  if (proof === null) throw unproven('the plan was not signed');
  const ageMs = now.getTime() - Date.parse(proof.at);
  // Of tomorrow it would be good for longer, and what is no time would be for ever.
  if (!(ageMs >= -CLOCKS_DIFFER_MS)) throw unproven('the plan was signed at a time that has not come');
  if (ageMs > PLAN_DAYS * 86_400_000) throw new SafekeepError('erasure-plan-expired', { hash: plan, days: PLAN_DAYS });
  return approverOf(proof, { act: 'plan', tenant, plan }, approvers);
}

export function unproven(reason: string, cause?: unknown): SafekeepError {
  return new SafekeepError('approval-unproven', { reason }, { cause });
}
