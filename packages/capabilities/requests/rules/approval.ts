import { SafekeepError } from '@safekeep/core';
import { verify, verifierKey, type Signer } from '@safekeep/crypto';
import type { ApprovalProof, ApprovalProofs, Approved } from '../model.ts';

/** What is signed. The hash of a plan is one of these rows with this done to each, so no signature serves for anything else. */
export type ApprovalStatement = { readonly act: 'plan' | 'approve' | 'end'; readonly tenant: string; readonly plan: string };

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
  const found = findApprover(proof, statement, approvers);
  if ('fault' in found) throw unproven(found.fault, found.cause);
  return found.key;
}

function findApprover(
  proof: ApprovalProof,
  statement: ApprovalStatement,
  approvers: readonly string[],
): { readonly key: string } | { readonly fault: string; readonly cause?: unknown } {
  const { keyName, keyId } = proof.signature;
  const known = approvers.find((key) => {
    const made = verifierKey(key);
    return made.keyName === keyName && made.keyId === keyId;
  });
  if (known === undefined) return { fault: `the key ${keyName} is none of SAFEKEEP_ERASURE_APPROVERS` };
  try {
    verify(KIND, { ...statement, at: proof.at }, proof.signature, known);
  } catch (cause) {
    return { fault: `the signature of ${keyName} is not for this plan`, cause };
  }
  return { key: known };
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

/** What is wrong with the signatures of a plan and its approval; undefined where two different approvers made them. */
export function proofFault(
  { plan, proofs }: Pick<Approved, 'plan'> & { readonly proofs: ApprovalProofs },
  { tenant, approvers }: { readonly tenant: string; readonly approvers: readonly string[] },
): string | undefined {
  const planner = findApprover(proofs.planned, { act: 'plan', tenant, plan }, approvers);
  if ('fault' in planner) return planner.fault;
  const approver = findApprover(proofs.approved, { act: 'approve', tenant, plan }, approvers);
  if ('fault' in approver) return approver.fault;
  return isSameKey(planner.key, approver.key) ? 'one key has signed both' : undefined;
}

/** Under another name it is the same key. */
export function isSameKey(one: string, other: string): boolean {
  return verifierKey(one).publicKey.equals(verifierKey(other).publicKey);
}

/** Who planned and who approved: those whose keys signed, where they did. */
export function approvedAs(claimed: Omit<Approved, 'proofs'>, proofs: ApprovalProofs | undefined): Approved {
  if (proofs === undefined) return { plan: claimed.plan, plannedBy: claimed.plannedBy, approvedBy: claimed.approvedBy };
  return {
    plan: claimed.plan,
    plannedBy: proofs.planned.signature.keyName,
    approvedBy: proofs.approved.signature.keyName,
    proofs,
  };
}

export function unproven(reason: string, cause?: unknown): SafekeepError {
  return new SafekeepError('approval-unproven', { reason }, { cause });
}
