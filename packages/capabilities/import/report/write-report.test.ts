import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { verify } from '@safekeep/crypto';
import { sqliteFile, workbench } from '../testing/workbench.ts';
import { REPORT_KIND } from './write-report.ts';

const NASTY = '<script>alert(1)</script>|*x*"&';

test('the report verifies with the key of the home, and not after a change', async (t) => {
  const { run, context } = await workbench(t);
  const { report } = await run(sqliteFile(t, 'CREATE TABLE t (x INTEGER); INSERT INTO t VALUES (1)'));
  const signed = JSON.parse(readFileSync(report ?? '', 'utf8'));
  verify(REPORT_KIND, signed.document, signed.signature, context.signer.verifierKey);
  signed.document.tables[0].rowsWritten = 2;
  assert.throws(() => verify(REPORT_KIND, signed.document, signed.signature, context.signer.verifierKey), {
    code: 'signature-invalid',
  });
});

test('the report claims a proof only where there was one', async (t) => {
  const { run } = await workbench(t);
  const file = sqliteFile(t, "CREATE TABLE t (x TEXT); INSERT INTO t VALUES ('a'), ('b' || char(0))");
  const page = async (options: Parameters<typeof run>[1]): Promise<string> => {
    const { report } = await run(file, { replace: true, onInvalid: 'quarantine', ...options });
    return readFileSync((report ?? '').replace(/json$/, 'html'), 'utf8');
  };
  assert.match(
    await page({}),
    /every value outside the quarantine was compared[\s\S]*Every value of the source was read a second time/,
  );
  const counted = await page({ verify: 'counts' });
  assert.match(counted, /no value was compared/);
  const unproven = await page({ verify: 'off' });
  assert.match(unproven, /Nothing was compared, as asked for/);
  const refused = await page({ onInvalid: 'refuse' });
  assert.match(refused, /The import ended before its values were compared/);
  for (const other of [counted, unproven, refused]) assert.doesNotMatch(other, /Every value of the source was read a second time/);
});

test('names of the source become neither markup of the page nor of the Markdown', async (t) => {
  const { run } = await workbench(t);
  const { report } = await run(sqliteFile(t, `CREATE TABLE "${NASTY.replaceAll('"', '""')}" (x INTEGER)`));
  const html = readFileSync((report ?? '').replace(/json$/, 'html'), 'utf8');
  const markdown = readFileSync((report ?? '').replace(/json$/, 'md'), 'utf8');
  assert.ok(!html.includes('<script'));
  assert.ok(html.includes('&lt;script&gt;alert(1)&lt;/script&gt;|*x*&quot;&amp;'));
  assert.ok(!/(?<!\\)<script/.test(markdown) && !/[^\\]\*x/.test(markdown));
  assert.match(html, /<html lang="en">[\s\S]*color-scheme: light dark/);
});
