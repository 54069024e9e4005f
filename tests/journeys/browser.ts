import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { chromium as playwright, type Browser, type Page } from 'playwright-core';

/** How a page is looked at: every screen has to stand in each of them (docs: console principles). */
export type Look = { readonly theme: 'light' | 'dark'; readonly width: 320 | 1280 };

export const looks: readonly Look[] = [
  { theme: 'light', width: 1280 },
  { theme: 'dark', width: 1280 },
  { theme: 'light', width: 320 },
  { theme: 'dark', width: 320 },
];

const CACHE = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'safekeep-browser');
// The package's own list of font folders names fixed ones in the temporary folder of its own kind of machine. Without a font no text is drawn, and no contrast measured.
const FONTS_FILE = join(CACHE, 'fontconfig.xml');
const FONTS = `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>${CACHE}/fonts</dir><dir>/usr/share/fonts</dir><cachedir>${CACHE}/fonts-cache</cachedir></fontconfig>`;
// The sandbox needs rights that neither root in a container nor CI has; only our own pages are opened. The rest keeps it quiet.
const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking', '--disable-quic'];
const PROFILES = `${CACHE}-profiles`;
// WCAG 2.2 A and AA.
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

/** Starts the Chromium that npm installed. The caller closes it. */
export async function openBrowser(): Promise<Browser> {
  const executablePath = await unpackedChromium();
  // Chromium may still write its profile while it ends: that goes beside its own files, not among those of the test.
  await mkdir(PROFILES, { recursive: true });
  process.env['TMPDIR'] = PROFILES;
  return await playwright.launch({
    executablePath,
    args: ARGUMENTS,
    headless: true,
    env: { ...process.env, FONTCONFIG_FILE: FONTS_FILE },
  });
}

/** Opens an address in one of the looks. Nothing on it may be fetched from the network beyond `address` itself. */
export async function openPage(browser: Browser, address: string, look: Look): Promise<Page> {
  const context = await browser.newContext({ colorScheme: look.theme, viewport: { width: look.width, height: 800 } });
  const page = await context.newPage();
  await page.goto(address);
  return page;
}

/** What axe-core finds against WCAG 2.2 AA, one line each; empty when the page is accessible. */
export async function accessibilityFaults(page: Page): Promise<readonly string[]> {
  const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
  return violations.map(({ id, help, nodes }) => `${id}: ${help} (${nodes.map(({ html }) => html.slice(0, 80)).join(' | ')})`);
}

/**
 * What sticks out of the window to the right and cannot be scrolled to inside a box of its own, by tag name. Measured on the
 * elements: this headless Chromium reports no sideways overflow of the document itself.
 */
export async function overflowingElements(page: Page): Promise<readonly string[]> {
  // A text and not a function: this program's types know no DOM. The text is a constant, so its result is of this type.
  return await page.evaluate<string[]>(OVERFLOWING);
}

const OVERFLOWING = `[...document.body.querySelectorAll('*')]
  .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
  .filter((element) => {
    for (let box = element.parentElement; box; box = box.parentElement) {
      if (getComputedStyle(box).overflowX !== 'visible') return false;
    }
    return true;
  })
  .map((element) => element.localName)`;

/**
 * The package holds Chromium compressed and unpacks it below the temporary folder, at a name that anybody could have put
 * something at. So it is unpacked once into node_modules, under a name of our own first: test files start at the same time.
 */
async function unpackedChromium(): Promise<string> {
  const { default: chromium } = await import('@sparticuz/chromium');
  if (!existsSync(join(CACHE, 'chromium'))) {
    const half = `${CACHE}.${process.pid}`;
    await mkdir(half, { recursive: true });
    await writeFile(join(half, basename(FONTS_FILE)), FONTS);
    const before = process.env['TMPDIR'];
    process.env['TMPDIR'] = half;
    try {
      await chromium.executablePath();
    } finally {
      if (before === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = before;
    }
    await rename(half, CACHE).catch(async (error: unknown) => {
      if (!existsSync(join(CACHE, 'chromium'))) throw error;
      await rm(half, { recursive: true, force: true });
    });
  }
  return join(CACHE, 'chromium');
}
