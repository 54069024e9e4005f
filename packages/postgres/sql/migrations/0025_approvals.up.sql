-- Where approvers have keys, who planned an erasure has signed it: a name alone is only claimed.
alter table safekeep.erasure_plans
  add column planned_proof jsonb;
