import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { runAxe } from "../support/axe.ts";
import { launchChromium } from "../support/chromium.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { waitFor } from "../support/wait_for.ts";

const TEST_MS = 120_000;
const TINY = {
  dataset: "sample",
  model: { n_layer: 1, n_head: 1, n_embd: 8 },
  context_length: 8,
  batch_size: 1,
  sample: { every: 0 },
};
/** Chromium's own line for an answer of 4xx or 5xx, and for a server that is away. */
const REFUSED = /^error: Failed to load resource/;

let browser: Browser;
let server: RunningServer;
beforeAll(async () => {
  [browser, server] = await Promise.all([launchChromium(), startServer()]);
}, TEST_MS);
afterAll(async () => {
  await browser?.close();
  await server?.[Symbol.asyncDispose]();
});

async function openPage(url: string, options: BrowserContextOptions = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const faults: string[] = [];
  page.on("console", (message) => {
    const text = `${message.type()}: ${message.text()}`;
    if (["error", "warning"].includes(message.type()) && !REFUSED.test(text)) faults.push(text);
  });
  page.on("pageerror", (error) => faults.push(String(error)));
  await page.goto(url);
  return { page, context, faults, [Symbol.asyncDispose]: () => context.close() };
}

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers: { "content-type": typeof body === "string" ? "text/plain" : "application/json", ...headers },
    body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response.status === 204 ? null : await response.json();
}

/** Starts a run and waits for its end. */
async function finished(body: object): Promise<string> {
  const { id } = await call("POST", "/api/runs", { ...TINY, ...body });
  await waitFor("the run's end", async () => {
    const { status } = await call("GET", `/api/runs/${id}`);
    return ["succeeded", "failed"].includes(status);
  }, { timeoutMs: TEST_MS, everyMs: 100 });
  return id;
}

const at = (id: string) => `${server.url}/#/runs/${id}`;
const textOf = async (page: Page, selector: string) => (await page.locator(selector).textContent() ?? "").trim();
const streams = async () =>
  Number(/^reverie_sse_clients (\d+)/m.exec(await (await fetch(`${server.url}/metrics`)).text())?.[1]);

test("eight tabs of one browser load and follow by one stream, which ends when nobody looks", async () => {
  const { id } = await call("POST", "/api/runs", { ...TINY, name: "shared", max_steps: 1_000_000 });
  const context = await browser.newContext();
  try {
    await context.clock.install(); // one clock for all its pages
    const pages = await Promise.all(Array.from({ length: 8 }, async () => {
      const page = await context.newPage();
      await page.goto(at(id));
      return page;
    }));
    const stepOf = async (page: Page) => Number((await textOf(page, "#step")).replaceAll(",", ""));
    for (const page of pages) await page.locator("#run-status", { hasText: "running" }).waitFor();
    const before = await Promise.all(pages.map(stepOf));
    for (const [i, page] of pages.entries()) {
      await waitFor(`tab ${i} to follow`, async () => await stepOf(page) > before[i]);
    }
    expect(await streams()).toBe(1);

    const look = (page: Page, state: "hidden" | "visible") =>
      page.evaluate((state) => {
        Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
        Object.defineProperty(document, "hidden", { value: state === "hidden", configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
      }, state);
    for (const page of pages) await look(page, "hidden");
    await context.clock.fastForward(31_000);
    await waitFor("the stream's end", async () => await streams() === 0);
    await call("POST", `/api/runs/${id}/cancel`);
    await look(pages[3], "visible");
    await pages[3].locator("#run-status", { hasText: "cancelled" }).waitFor();
    expect(await streams()).toBe(1);
  } finally {
    await context.close();
  }
}, TEST_MS);

describe("a read that fails", () => {
  test("stands in the run's own panel; Try again mends it, and other runs have nothing to do with it", async () => {
    const [a, b] = [await finished({ name: "one", max_steps: 5 }), await finished({ name: "two", max_steps: 5 })];
    await using opened = await openPage(server.url);
    const { page, faults } = opened;
    await page.route("**/metrics?**", (route) =>
      route.fulfill({
        status: 503,
        contentType: "application/problem+json",
        body: JSON.stringify({ title: "Storage unavailable", status: 503, detail: "the database is locked" }),
      }));
    await page.goto(at(a));
    await page.getByText("This run could not be read.").waitFor();
    expect(await textOf(page, "#run-name")).toBe("one");
    expect(await textOf(page, "#step")).toBe("5");
    await page.unroute("**/metrics?**");
    await page.getByRole("link", { name: "two" }).click();
    await page.locator("#chart canvas").waitFor();
    expect(await page.locator("#banner, #run-problem").filter({ visible: true }).count()).toBe(0);
    await page.goto(at(a));
    await page.locator("#run-name", { hasText: "one" }).waitFor();
    await page.locator("#chart canvas").waitFor();
    expect(b).not.toBe(a);
    expect(faults).toEqual([]);
  }, TEST_MS);

  test("while the server is away mends on its return", async () => {
    const id = await finished({ name: "returns", max_steps: 5 });
    await using opened = await openPage(at(id));
    const { page, context } = opened;
    await page.locator("#chart canvas").waitFor();
    await page.getByRole("link", { name: "New run" }).click();
    await context.setOffline(true);
    await page.route("**/api/**", (route) => route.abort());
    await page.goBack();
    await page.locator("#run-problem:visible, #unread-again:visible").first().waitFor();
    expect(await textOf(page, "#main")).not.toContain("Failed to fetch");
    await page.unroute("**/api/**");
    await context.setOffline(false);
    await page.getByRole("button", { name: "Try again" }).first().click();
    await page.locator("#chart-empty").waitFor({ state: "hidden" });
    await page.locator("#run-problem").waitFor({ state: "hidden" });
  }, TEST_MS);
});

test("draws the mean of a stored run of 30,000 steps", async () => {
  const id = await finished({ name: "long", max_steps: 3 });
  const steps = 30_000;
  const values = Array.from(
    { length: steps },
    (_, i) => 1.6 + 2.5 * Math.exp(-i / 90) + 0.3 * Math.exp(-i / 8000) + 0.4 * ((i * 7919 % 1000) / 1000 - 0.5),
  );
  const database = new Database(join(server.dataFolder, "reverie.db"));
  database.run("pragma busy_timeout = 10000");
  database.transaction(() => {
    const { key } = database.query("select key from run_keys where run_id = ?").get(id) as { key: number };
    database.query("delete from train_points where run_key = ?").run(key);
    const insert = database.query(
      `insert into train_points (run_key, step, loss, lr, grad_norm, tokens_per_second, step_ms, mfu, epoch)
       values (?, ?, ?, 0.001, 1, 1, 1, 0, 0)`,
    );
    values.forEach((loss, i) => insert.run(key, i + 1, loss));
    database.query("update runs set step = ?, max_steps = ? where id = ?").run(steps, steps, id);
  })();
  database.close();

  await using opened = await openPage(at(id));
  const { page, faults } = opened;
  await page.locator('#chart[aria-label*="30,000 points"]').waitFor();
  const box = (await page.locator("#chart .u-over").boundingBox())!;
  for (const share of [0.02, 0.3, 0.5003, 0.8, 0.97]) {
    await page.mouse.move(box.x + share * box.width, box.y + box.height / 2);
    const step = Number((await textOf(page, "#at-step")).replaceAll(",", ""));
    const shown = Number(await textOf(page, "#at-train"));
    const around = values.slice(step - 301, step + 300);
    expect(around).toHaveLength(601);
    expect(Math.abs(shown - around.reduce((a, b) => a + b, 0) / 601)).toBeLessThan(0.005);
  }
  expect(faults).toEqual([]);
}, TEST_MS);

test("changes made elsewhere arrive: a name, a deletion, a text", async () => {
  const id = await finished({ name: "before", max_steps: 3 });
  await using opened = await openPage(at(id));
  const { page, faults } = opened;
  await page.locator("#chart canvas").waitFor();
  await call("PATCH", `/api/runs/${id}`, { name: "after" });
  await page.locator("#run-name", { hasText: "after" }).waitFor();
  await call("DELETE", `/api/runs/${id}`);
  await page.getByRole("heading", { name: "“after” was deleted" }).waitFor();
  expect(await page.locator(`#run-list a[href$="${id}"]`).count()).toBe(0);
  await page.goto(server.url);
  await page.locator("#plan", { hasText: "parameters" }).waitFor();
  const text = await call("POST", "/api/datasets?name=elsewhere", "abcdefgh ".repeat(30));
  await page.locator(`#f-dataset option[value="${text.id}"]`).waitFor({ state: "attached" });
  await call("DELETE", `/api/datasets/${text.id}`);
  await page.locator(`#f-dataset option[value="${text.id}"]`).waitFor({ state: "detached" });
  expect(faults).toEqual([]);
}, TEST_MS);

test("the form understands a comma, promises nothing that is refused, and names an edited shape custom", async () => {
  const text = await call("POST", "/api/datasets?name=short", "A text of forty-five characters, not one more");
  await using opened = await openPage(server.url);
  const { page, faults } = opened;
  await page.getByLabel("Text", { exact: true }).selectOption(text.id);
  await page.getByText("This run cannot start as it is:").waitFor();
  expect(await page.locator("#start-run").isDisabled()).toBe(true);
  await page.getByLabel("Text", { exact: true }).selectOption("sample");
  await page.locator("#plan", { hasText: "parameters" }).waitFor();
  expect(await page.locator("#start-run").isDisabled()).toBe(false);
  await page.getByLabel("Learning rate").fill("0,003");
  await page.getByLabel("Layers").fill("");
  await page.getByText("Enter a number, such as 2.").first().waitFor();
  await page.getByLabel("Layers").fill("3");
  expect(await page.getByLabel("Size").inputValue()).toBe("custom");
  await page.locator("#plan", { hasText: "parameters" }).waitFor();
  await page.getByLabel("Steps", { exact: true }).fill("1000000000");
  await page.getByRole("button", { name: /^Start, about \d/ }).waitFor();
  expect(faults).toEqual([]);
}, TEST_MS);

test("a run that diverged says what it was, what to do, and starts again with a lower rate", async () => {
  const id = await finished({
    name: "wild",
    max_steps: 400,
    optimizer: { learning_rate: 1000, warmup_steps: 0, grad_clip: null, kind: "sgd" },
  });
  await using opened = await openPage(at(id));
  const { page, faults } = opened;
  await page.locator("#run-status", { hasText: "failed" }).waitFor();
  expect(await textOf(page, "#run-error")).not.toMatch(/_/);
  expect(await textOf(page, "#learning-rate")).toBe("1e3");
  await page.getByRole("button", { name: "Start again with 1e2" }).click();
  await page.getByText("As the run “wild”").waitFor();
  expect(await page.getByLabel("Learning rate").inputValue()).toBe("1e2");
  expect(faults).toEqual([]);
}, TEST_MS);

describe("axe finds nothing", () => {
  let done: string, failed: string;
  let guarded: RunningServer;
  beforeAll(async () => {
    guarded = await startServer({ env: { REVERIE_TOKEN: "the-token-of-this-test" } });
    done = await finished({ name: "done", max_steps: 20, sample: { every: 10, prompt: "§Once" } });
    failed = await finished({
      name: "failed",
      max_steps: 400,
      optimizer: { learning_rate: 1000, warmup_steps: 0, grad_clip: null, kind: "sgd" },
    });
  }, TEST_MS);
  afterAll(async () => await guarded?.[Symbol.asyncDispose]());

  for (const colorScheme of ["light", "dark"] as const) {
    for (const width of [1280, 390]) {
      test(`${colorScheme}, ${width} px`, async () => {
        const places = [
          ["home", server.url, "#plan:text('parameters')"],
          ["run", at(done), "#chart canvas"],
          ["failed", at(failed), "#start-again"],
          ["sign-in", guarded.url, "#f-token"],
        ];
        for (const [name, url, ready] of places) {
          await using opened = await openPage(url, { colorScheme, viewport: { width, height: 844 }, bypassCSP: true });
          const { page } = opened;
          await page.locator(ready).first().waitFor();
          const { violations } = await runAxe(page);
          expect([name, ...violations]).toEqual([name]);
          const small = await page.evaluate(
            (least) =>
              [...document.querySelectorAll("a[href], button, input:not([type=checkbox]), select, textarea, summary")]
                .filter((e) => e.checkVisibility() && !e.matches(".skip, p a"))
                .filter((e) => e.getBoundingClientRect().height < least)
                .map((e) => `${e.outerHTML} ${e.getBoundingClientRect().height}`),
            width === 390 ? 44 : 24,
          );
          expect([name, ...small]).toEqual([name]);
        }
      }, TEST_MS);
    }
  }
});
