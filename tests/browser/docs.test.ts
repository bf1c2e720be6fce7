import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import type { Browser } from "playwright-core";
import { runAxe } from "../support/axe.ts";
import { launchChromium } from "../support/chromium.ts";
import { type RunningServer, startServer } from "../support/server.ts";

const TEST_MS = 120_000;

let browser: Browser;
let server: RunningServer;
beforeAll(async () => {
  [browser, server] = await Promise.all([launchChromium(), startServer()]);
}, TEST_MS);
afterAll(async () => {
  await browser?.close();
  await server?.[Symbol.asyncDispose]();
});

describe.each([1280, 390])("at %d px", (width) => {
  test.each(["light", "dark"] as const)("in %s, the reference fits and axe finds nothing", async (colorScheme) => {
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, locale: "en-GB" });
    try {
      const page = await context.newPage();
      const faults: string[] = [];
      page.on("console", (message) => faults.push(message.text()));
      page.on("pageerror", (error) => faults.push(String(error)));
      await page.goto(`${server.url}/docs#createRun`);
      await page.getByRole("heading", { name: "Queue a training run" }).waitFor();
      expect(await page.getByRole("button", { name: "Copy" }).count()).toBeGreaterThan(30);
      expect(await page.locator("article:has(#createRun) pre").textContent()).toContain(`"${server.url}/api/runs"`);
      const { background, overflow } = await page.evaluate(() => ({
        background: getComputedStyle(document.body).backgroundColor,
        overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      }));
      expect(background).toBe(colorScheme === "dark" ? "rgb(19, 21, 24)" : "rgb(251, 250, 247)");
      expect(overflow).toBe(0);
      const { violations, passed } = await runAxe(page);
      expect(violations).toEqual([]);
      expect(passed).toContain("color-contrast");
      expect(faults).toEqual([]);
    } finally {
      await context.close();
    }
  }, TEST_MS);
});

test("without scripts everything is there, with its anchors, in less than 60 kB", async () => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  try {
    const page = await context.newPage();
    await page.goto(`${server.url}/docs`);
    const document = await (await fetch(`${server.url}/openapi.json`)).json() as {
      paths: Record<string, Record<string, { operationId: string }>>;
      components: { schemas: object };
    };
    const ids = Object.values(document.paths).flatMap((item) =>
      Object.values(item).map(({ operationId }) => operationId)
    );
    const anchors = [...ids, ...Object.keys(document.components.schemas).map((name) => `schema-${name}`)];
    const html = await page.content();
    expect(anchors.filter((id) => !html.includes(`id="${id}"`))).toEqual([]);
    const links = [...html.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);
    expect(links.filter((id) => !html.includes(`id="${id}"`))).toEqual([]);
    const parts = ["/docs", "/assets/docs.css", "/assets/docs.js"];
    const texts = await Promise.all(parts.map(async (path) => await (await fetch(server.url + path)).text()));
    expect(gzipSync(texts.join("")).length).toBeLessThan(60_000);
  } finally {
    await context.close();
  }
}, TEST_MS);
