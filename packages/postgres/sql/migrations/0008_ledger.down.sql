drop table safekeep.ledger_heads;
