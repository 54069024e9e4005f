drop table safekeep.text_findings, safekeep.scan_verdicts, safekeep.scan_findings;
