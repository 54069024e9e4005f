alter table safekeep.erasures
  drop column decision,
  drop column tag;
