import { expect, test } from "bun:test";
import { launchChromium } from "../support/chromium.ts";

test("Chromium lays out and draws a page", async () => {
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    await page.setContent("<canvas></canvas><h1>Reverie</h1>");
    const width = await page.locator("h1").evaluate((heading) => {
      const range = document.createRange();
      range.selectNodeContents(heading);
      return range.getBoundingClientRect().width;
    });
    // Without a font every glyph is missing and the text has no width worth its name.
    expect(width).toBeGreaterThan(60);
    expect((await page.screenshot()).length).toBeGreaterThan(1000);
  } finally {
    await browser.close();
  }
}, 60_000);
