import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { launchChromium } from "../support/chromium.ts";
import { type RunningServer, startServer } from "../support/server.ts";

const TEST_MS = 120_000;
const TOKEN = "the-token-of-this-test";
/** What Chromium says of a refusal that the page deals with. */
const REFUSED = /^error: Failed to load resource: the server responded with a status of (401|429)/;

let browser: Browser;
let server: RunningServer;
beforeAll(async () => {
  [browser, server] = await Promise.all([
    launchChromium(),
    startServer({ env: { REVERIE_TOKEN: TOKEN, REVERIE_TRUST_PROXY: "1" } }),
  ]);
}, TEST_MS);
afterAll(async () => {
  await browser?.close();
  await server?.[Symbol.asyncDispose]();
});

/** A page, as from an address of its own, and all that went wrong in it. */
async function openPage(address: string, setUp: (page: Page) => Promise<unknown> = () => Promise.resolve()) {
  const context = await browser.newContext({ locale: "en-GB", extraHTTPHeaders: { "x-forwarded-for": address } });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const faults: string[] = [];
  page.on("console", (message) => {
    const text = `${message.type()}: ${message.text()}`;
    if (["error", "warning"].includes(message.type()) && !REFUSED.test(text)) faults.push(text);
  });
  page.on("pageerror", (error) => faults.push(String(error)));
  await page.addInitScript(() =>
    document.addEventListener("securitypolicyviolation", (event) => console.error("policy:", event.violatedDirective))
  );
  await setUp(page);
  await page.goto(server.url);
  return { page, context, faults, [Symbol.asyncDispose]: () => context.close() };
}

async function signIn(page: Page, token: string) {
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
}

const dashboard = (page: Page) => page.getByRole("heading", { name: "New run" });

test("asks for a token, says which are wrong, goes on with a good one, and signs out", async () => {
  await using opened = await openPage("203.0.113.1");
  const { page, context, faults } = opened;
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  expect(await page.evaluate(() => document.activeElement?.id)).toBe("f-token");
  expect(await dashboard(page).isVisible()).toBe(false);

  await signIn(page, "wrong");
  await page.getByText("That token is not one of this server’s.").waitFor();
  expect(await page.getByLabel("Token").getAttribute("aria-invalid")).toBe("true");
  await signIn(page, TOKEN);
  await dashboard(page).waitFor();
  await page.locator("#device", { hasText: / · / }).waitFor();
  expect(await page.locator("#sign-in").isVisible()).toBe(false);
  expect(await page.evaluate(() => document.activeElement?.id)).toBe("main");
  const [cookie] = await context.cookies();
  expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Strict", path: "/" });
  expect(await page.evaluate(() => document.cookie)).toBe("");

  // A change by cookie, from our own page, and the stream that tells of it.
  for (const [label, value] of [["Layers", "1"], ["Heads", "1"], ["Width", "8"], ["Context", "8"], ["Steps", "20"]]) {
    await page.getByLabel(label, { exact: true }).fill(value);
  }
  await page.getByRole("button", { name: "Start training" }).click();
  await page.locator("#run-status", { hasText: /^succeeded$/ }).waitFor();
  await page.reload();
  await page.locator("#run-status", { hasText: /^succeeded$/ }).waitFor();

  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  expect(await context.cookies()).toEqual([]);
  expect(faults).toEqual([]);
}, TEST_MS);

test("asks again where a session is over while the page is open", async () => {
  await using opened = await openPage("203.0.113.2");
  const { page, context, faults } = opened;
  await signIn(page, TOKEN);
  await dashboard(page).waitFor();
  await page.getByLabel("Name").fill("kept while signed out");
  await context.clearCookies();
  await page.getByRole("button", { name: "Start training" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await signIn(page, TOKEN);
  await dashboard(page).waitFor();
  expect(await page.getByLabel("Name").inputValue()).toBe("kept while signed out");
  expect(faults).toEqual([]);
}, TEST_MS);

test("says how long to wait after too many wrong tokens", async () => {
  await using opened = await openPage("203.0.113.3");
  const { page } = opened;
  for (let i = 0; i < 11; i++) {
    const answered = page.waitForResponse((response) => response.request().method() === "POST");
    await signIn(page, `wrong ${i}`);
    await answered;
  }
  await page.getByText(/^Too many failed attempts from this address: wait \d+ s\.$/).waitFor();
}, TEST_MS);

test("lives where the browser's language is no language tag", async () => {
  await using opened = await openPage("203.0.113.4", (page) =>
    page.addInitScript(() => {
      Object.defineProperty(Navigator.prototype, "language", { get: () => "en-US@posix", configurable: true });
    }));
  const { page, faults } = opened;
  await signIn(page, TOKEN);
  await dashboard(page).waitFor();
  expect(faults).toEqual([]);
}, TEST_MS);

test("has no form and no way out where no token is set", async () => {
  await using open = await startServer();
  await using opened = await openPage("203.0.113.5");
  const { page, faults } = opened;
  await page.goto(open.url);
  await dashboard(page).waitFor();
  await page.locator("#device", { hasText: / · / }).waitFor();
  expect(await page.locator("#sign-in").isVisible()).toBe(false);
  expect(await page.getByRole("button", { name: "Sign out" }).isVisible()).toBe(false);
  expect(faults).toEqual([]);
}, TEST_MS);
