import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createClient } from "@hey-api/openapi-ts";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import openapiTS, { astToString } from "openapi-typescript";
import { AnswerChecker, type Document } from "../support/answers.ts";
import { ROOT } from "../support/deno.ts";
import { type RunningServer, startServer } from "../support/server.ts";

/** Clients as their authors make them: types from the server's own document, compiled, and a run driven with them. */

const TIMEOUT_MS = 120_000;
const TEXT = Array.from({ length: 200 }, (_, i) => `${i} and ${i + 1}\n`).join("");

let server: RunningServer;
let document: Document;
/** Within the checkout, so that the generated code finds its packages; out of the sources' reach. */
let folder: string;
beforeAll(async () => {
  const cache = join(ROOT, "node_modules/.cache");
  mkdirSync(cache, { recursive: true });
  folder = mkdtempSync(join(cache, "clients-"));
  server = await startServer();
  document = await (await fetch(`${server.url}/openapi.json`)).json() as Document;
  for (const name of ["openapi_fetch.ts", "hey_api.ts"]) {
    copyFileSync(join(ROOT, "tests/server/clients", name), join(folder, name));
  }
  writeFileSync(join(folder, "openapi.json"), JSON.stringify(document));
}, TIMEOUT_MS);
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** Holds every answer against the document. */
function checking(faults: string[]): (request: Request) => Promise<Response> {
  const checker = new AnswerChecker(document);
  return async (request) => {
    const answer = await fetch(request);
    const { pathname } = new URL(request.url);
    const type = answer.headers.get("content-type") ?? "";
    const isReadable = /[/+]json|event-stream/.test(type) && answer.status !== 206;
    const body = isReadable ? await answer.clone().text() : null;
    const found = checker.faults(request.method, pathname, answer, body);
    faults.push(...found.map((fault) => `${request.method} ${pathname} → ${answer.status}: ${fault}`));
    return answer;
  };
}

function compile(...files: string[]): void {
  const options = [
    "--ignoreConfig",
    "--noEmit",
    "--strict",
    "--target",
    "esnext",
    "--module",
    "esnext",
    "--moduleResolution",
    "bundler",
  ];
  const others = ["--allowImportingTsExtensions", "--skipLibCheck", "--lib", "esnext,dom,dom.iterable"];
  const tsc = join(ROOT, "node_modules/.bin/tsc");
  try {
    execFileSync(tsc, [...options, ...others, ...files], { cwd: folder, encoding: "utf8", stdio: "pipe" });
  } catch (error) {
    throw new Error(`the client does not compile:\n${(error as { stdout: string }).stdout}`);
  }
}

interface Driven {
  parameters: number;
  rate: number;
  status: string;
  types: string[];
  stream: string;
  series: { steps: number[]; values: (number | null)[] };
  fileBytes: number;
  refusal: string;
}

async function driven(file: string): Promise<Driven> {
  const { drive } = await import(join(folder, file)) as {
    drive: (url: string, fetch: (request: Request) => Promise<Response>, text: string) => Promise<Driven>;
  };
  const faults: string[] = [];
  const result = await drive(server.url, checking(faults), TEXT + file);
  expect(faults).toEqual([]);
  expect(result).toMatchObject({ rate: 0.001, status: "succeeded", fileBytes: 8, refusal: "dataset" });
  expect(result.parameters).toBeGreaterThan(0);
  expect(result.types).toEqual(expect.arrayContaining(["run.queued", "run.started", "run.progress", "run.succeeded"]));
  expect(result.series.steps).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  return result;
}

describe("openapi-typescript and openapi-fetch", () => {
  beforeAll(async () => {
    const types = await openapiTS(pathToFileURL(join(folder, "openapi.json")));
    writeFileSync(join(folder, "schema.ts"), astToString(types));
  }, TIMEOUT_MS);

  test("a run's whole life compiles", () => compile("openapi_fetch.ts"), TIMEOUT_MS);

  test("a request that is wrong does not compile", () => {
    writeFileSync(
      join(folder, "wrong.ts"),
      'import type { components } from "./schema.ts";\nexport const r: components["schemas"]["RunRequest"] = { batch_size: 1 };\n',
    );
    expect(() => compile("wrong.ts")).toThrow("dataset");
  }, TIMEOUT_MS);

  test("a run's whole life is as the document says", async () => {
    const { stream } = await driven("openapi_fetch.ts");
    expect(stream).toContain("event: run.succeeded");
  }, TIMEOUT_MS);
});

describe("@hey-api/openapi-ts", () => {
  beforeAll(async () => {
    await createClient({
      input: join(folder, "openapi.json"),
      output: join(folder, "hey"),
      plugins: ["@hey-api/client-fetch", "@hey-api/typescript", "@hey-api/sdk"],
      logs: { level: "silent" },
    });
  }, TIMEOUT_MS);

  test("a run's whole life compiles", () => compile("hey_api.ts"), TIMEOUT_MS);

  test("a run's whole life is as the document says", () => driven("hey_api.ts"), TIMEOUT_MS);
});
