import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { accessibilityFaults, looks, openBrowser, openPage, overflowingElements } from './browser.ts';

let browser: Browser;
before(async () => {
  browser = await openBrowser();
});
after(() => browser.close());

const pageOf = (body: string): string =>
  `data:text/html,${encodeURIComponent(`<!doctype html><html lang="en"><title>A page</title><meta name="viewport" content="width=device-width"><main><h1>A page</h1>${body}</main></html>`)}`;

test('a sound page has no faults and fits its window', async () => {
  for (const look of looks) {
    const page = await openPage(browser, pageOf('<p>Text.</p>'), look);
    assert.deepEqual(await accessibilityFaults(page), []);
    assert.deepEqual(await overflowingElements(page), []);
    await page.context().close();
  }
});

test('a planted fault of accessibility, and a page too wide, are found', async () => {
  const [look] = looks;
  assert.ok(look);
  const page = await openPage(browser, pageOf('<img src="data:,"><p style="width:3000px">Wide.</p>'), look);
  assert.match((await accessibilityFaults(page)).join('\n'), /image-alt/);
  assert.deepEqual(await overflowingElements(page), ['p']);
  await page.context().close();
});

test('text is drawn: without a font neither contrast nor width could be judged', async () => {
  const [look] = looks;
  assert.ok(look);
  const page = await openPage(browser, pageOf('<p><span>Wide words</span></p>'), look);
  assert.ok(((await page.locator('span').boundingBox())?.width ?? 0) > 40);
  const faint = await openPage(browser, pageOf('<p style="color:#ddd">Faint.</p>'), look);
  assert.match((await accessibilityFaults(faint)).join('\n'), /color-contrast/);
  await Promise.all([page.context().close(), faint.context().close()]);
});
