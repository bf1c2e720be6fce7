import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { launchChromium } from "../support/chromium.ts";
import { RunningServer, startServer } from "../support/server.ts";
import { waitFor } from "../support/wait_for.ts";

const TEST_MS = 180_000;
const POLLING_MS = 100;
/** What Chromium says of an answer of 4xx or 5xx, whether or not the page deals with it. */
const REFUSED = /^error: Failed to load resource: the server responded with a status of (422|503)/;

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
}, TEST_MS);
afterAll(async () => await browser?.close());

/** A page, and all that went wrong in it: errors, failed loads, refusals of the content security policy. */
async function openPage(url: string, viewport = { width: 1280, height: 900 }) {
  // No locale: in a POSIX environment Chromium's own is one that its Intl refuses, and the page must live with it.
  const context = await browser.newContext({ viewport });
  const page = await context.newPage();
  page.setDefaultTimeout(TEST_MS);
  const faults: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) faults.push(`${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(String(error)));
  await page.addInitScript(() =>
    document.addEventListener("securitypolicyviolation", (event) => console.error("policy:", event.violatedDirective))
  );
  await page.goto(url);
  return { page, faults, [Symbol.asyncDispose]: () => context.close() };
}

const textOf = async (page: Page, selector: string) => (await page.locator(selector).textContent() ?? "").trim();
const numberOf = async (page: Page, selector: string) => Number((await textOf(page, selector)).replaceAll(",", ""));

/** Waits until the number that `selector` shows passes `bound`, and gives it. */
async function waitForNumber(page: Page, selector: string, bound: number): Promise<number> {
  await page.waitForFunction(
    ([selector, bound]) =>
      Number(document.querySelector(selector as string)?.textContent?.replaceAll(",", "") || NaN) > (bound as number),
    [selector, bound] as const,
    { polling: POLLING_MS },
  );
  return await numberOf(page, selector);
}

const waitForStatus = (page: Page, status: string) =>
  page.locator("#run-status", { hasText: new RegExp(`^${status}$`) }).waitFor();

/** Fills the form for a model that a software adapter trains in seconds, and starts it. */
async function startTinyRun(page: Page, name: string, steps: number): Promise<string> {
  const fields = { Name: name, Layers: "2", Heads: "2", Width: "32", Context: "32", Steps: String(steps) };
  for (const [label, value] of Object.entries(fields)) await page.getByLabel(label, { exact: true }).fill(value);
  await page.locator("#start-run").click(); // its label tells how long a long run takes
  await page.waitForURL(/#\/runs\/run_/);
  return page.url().split("/").at(-1) as string;
}

const drawing = (page: Page) =>
  page.locator("#chart canvas").evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());

describe("with a device", () => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer();
  }, TEST_MS);
  afterAll(async () => await server?.[Symbol.asyncDispose]());

  test("starts a run from the form and draws it live", async () => {
    await using opened = await openPage(server.url);
    const { page, faults } = opened;
    await page.getByText("None yet.").waitFor();
    await page.locator("#device", { hasText: / · (software adapter|GPU)$/ }).waitFor();
    await page.evaluate(() => Object.assign(window, { sameDocument: true }));

    const id = await startTinyRun(page, "tiny", 200);
    const step = await waitForNumber(page, "#step", 0);
    const [loss, picture] = [await textOf(page, "#train-loss"), await drawing(page)];
    expect(await waitForNumber(page, "#step", step)).toBeLessThanOrEqual(200);
    await page.waitForFunction((before) => document.querySelector("#train-loss")?.textContent !== before, loss);
    await waitFor("the curve to be drawn anew", async () => await drawing(page) !== picture, { timeoutMs: TEST_MS });
    expect(await waitForNumber(page, "#val-loss", 0)).toBeLessThan(10);
    await page.locator("#samples pre").first().waitFor();
    expect(await page.evaluate(() => "sameDocument" in window)).toBe(true);

    const before = await numberOf(page, "#step");
    await page.reload();
    expect(await waitForNumber(page, "#step", before - 1)).toBeGreaterThanOrEqual(before);
    expect(page.url()).toEndWith(`#/runs/${id}`);
    expect(await textOf(page, "#run-name")).toBe("tiny");

    await waitForStatus(page, "succeeded");
    await waitForNumber(page, "#step", 199);
    await page.locator('#chart[aria-label*="Training: 200 points"]').waitFor();
    const metrics = await (await fetch(`${server.url}/api/runs/${id}/metrics?name=val/loss`)).json();
    expect(await numberOf(page, "#val-loss")).toBeCloseTo(metrics.series["val/loss"].values.at(-1), 2);
    const download = page.waitForEvent("download");
    await page.getByRole("link", { name: "model.safetensors" }).first().click();
    expect((await download).suggestedFilename()).toBe("model.safetensors");
    expect(faults).toEqual([]);
  }, TEST_MS);

  test("pauses, resumes and cancels", async () => {
    await using opened = await openPage(server.url);
    const { page, faults } = opened;
    await startTinyRun(page, "stoppable", 100_000);
    await waitForNumber(page, "#step", 0);
    await page.getByRole("button", { name: "Pause" }).click();
    await waitForStatus(page, "paused");
    // The button is the same one: the focus stays under the finger.
    await page.getByRole("button", { name: "Resume" }).and(page.locator(":focus")).waitFor();
    const step = await numberOf(page, "#step");
    await page.getByRole("button", { name: "Resume" }).click();
    await waitForStatus(page, "running");
    await waitForNumber(page, "#step", step);
    page.on("dialog", (dialog) => void dialog.accept());
    await page.getByRole("button", { name: "Cancel" }).click();
    await waitForStatus(page, "cancelled");
    expect(await page.locator("[data-action]:visible").count()).toBe(0);
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("run-name");
    expect(faults).toEqual([]);
  }, TEST_MS);

  test("says at the field why a run was refused", async () => {
    await using opened = await openPage(server.url);
    const { page, faults } = opened;
    await page.getByLabel("Heads").fill("3");
    await page.getByRole("button", { name: "Start training" }).click();
    await page.locator("#f-heads[aria-invalid=true]").waitFor();
    expect(await textOf(page, "#f-heads-error")).toBe("Width (64) must be a multiple of heads (3).");
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("f-heads");
    expect(faults.filter((fault) => !REFUSED.test(fault))).toEqual([]);
  }, TEST_MS);

  test("fits a narrow phone", async () => {
    await using opened = await openPage(server.url, { width: 320, height: 640 });
    const { page, faults } = opened;
    const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    await page.locator("#run-list a").first().waitFor();
    expect(await overflow()).toBeLessThanOrEqual(0);
    await page.locator("#run-list a").first().click();
    await page.locator("#chart canvas").waitFor();
    expect(await overflow()).toBeLessThanOrEqual(0);
    expect(faults).toEqual([]);
  }, TEST_MS);
});

test("goes on through a restart of the server, each step once", async () => {
  await using first = await startServer();
  await using opened = await openPage(first.url);
  const { page } = opened;
  const id = await startTinyRun(page, "survivor", 100_000);
  await waitForNumber(page, "#step", 0);
  await first.stop();
  await page.locator("#connection:visible").waitFor();
  const stopped = await numberOf(page, "#step");

  await using second = await startServer({ dataFolder: first.dataFolder, env: { PORT: new URL(first.url).port } });
  await waitForNumber(page, "#step", stopped);
  expect(await page.locator("#connection").isVisible()).toBe(false);
  const drawn = await page.locator("#chart").getAttribute("aria-label") ?? "";
  const [, points, step] = /Training: ([\d,]+) points up to step ([\d,]*\d)/.exec(drawn) ?? [];
  expect(points).toBe(step);
  expect(points).toMatch(/\d/);
  const run = await (await fetch(`${second.url}/api/runs/${id}`)).json();
  expect(run).toMatchObject({ status: "running", attempts: 1 });
}, TEST_MS);

test("says that there is no GPU", async () => {
  await using server = await startServer({
    env: { DENO_WEBGPU_BACKEND: "vulkan", VK_DRIVER_FILES: "/nonexistent", VK_ICD_FILENAMES: "/nonexistent" },
  });
  await using opened = await openPage(server.url);
  const { page, faults } = opened;
  await page.getByText("No GPU:").waitFor();
  await page.getByRole("button", { name: "Start training" }).click();
  await page.locator("#form-errors:visible").waitFor();
  expect(faults.filter((fault) => !REFUSED.test(fault))).toEqual([]);
}, TEST_MS);
