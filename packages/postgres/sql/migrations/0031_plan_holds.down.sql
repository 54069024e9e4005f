alter table safekeep.erasure_plans drop column holds;
