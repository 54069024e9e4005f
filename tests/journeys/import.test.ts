import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { safekeep, temporaryHome } from 'safekeep/testing';
import { accessibilityFaults, looks, openBrowser, openPage, overflowingElements } from './browser.ts';

test('a practice moves over, is proven, listed, verified again and undone; its report is a page for everybody', async (t) => {
  const home = await temporaryHome(t);
  const file = join(await temporaryHome(t), 'a practice.db');
  makePractice(file);
  const call = async (...args: string[]) => {
    const { code, stdout, stderr } = await safekeep([...args, '--home', home, '--json']);
    return { code, result: JSON.parse(stdout), stderr };
  };

  const planned = await call('import', 'sqlite', file, '--plan');
  assert.equal(planned.code, 0, planned.stderr);
  assert.equal(planned.result.state, 'planned');

  const { code, result } = await call('import', 'sqlite', file);
  assert.equal(code, 0, JSON.stringify(result));
  assert.equal(result.state, 'done');
  for (const table of result.tables) {
    assert.equal(table.rowsRead, table.rowsWritten, table.source);
    assert.equal(table.sourceDigest, table.targetDigest, table.source);
  }

  await looksRight(String(result.report).replace(/\.json$/, '.html'));

  const again = await call('import', 'sqlite', file);
  assert.equal(again.code === 0, false, 'the tables stand already');
  assert.equal((await call('import', 'verify', result.runId)).code, 0);
  const listed = await call('import', 'list');
  assert.ok(JSON.stringify(listed.result).includes(result.runId));
  const undone = await call('import', 'rollback', result.runId);
  assert.deepEqual(undone.result, { runId: result.runId, state: 'rolled-back' });
});

async function looksRight(report: string): Promise<void> {
  const browser = await openBrowser();
  try {
    for (const look of looks) {
      const page = await openPage(browser, `file://${report}`, look);
      assert.deepEqual(await accessibilityFaults(page), [], JSON.stringify(look));
      assert.deepEqual(await overflowingElements(page), [], JSON.stringify(look));
      assert.equal(await page.evaluate('globalThis.planted'), undefined, 'a name of the source ran as a script');
      assert.match((await page.locator('body').textContent()) ?? '', /planted/, 'the name is shown as text');
      await page.context().close();
    }
  } finally {
    await browser.close();
  }
}

function makePractice(file: string): void {
  const source = new DatabaseSync(file);
  try {
    source.exec(`
      CREATE TABLE patients (id INTEGER PRIMARY KEY AUTOINCREMENT, "Full Name" TEXT NOT NULL, born DATE, weight REAL);
      CREATE TABLE "<script>planted=1</script>" (id INTEGER PRIMARY KEY, patient INTEGER REFERENCES patients ON DELETE CASCADE, note TEXT);
      CREATE VIEW grown_up AS SELECT id, "Full Name" FROM patients WHERE born < '2008-01-01';
      INSERT INTO patients ("Full Name", born, weight) VALUES ('Zoë Ó''Brien', '1990-02-28', 61.5), ('田中 太郎', '2012-12-31', NULL);
      INSERT INTO "<script>planted=1</script>" VALUES (1, 1, ''), (2, 2, 'a 😀 note');
    `);
  } finally {
    source.close();
  }
}
