import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import process from "node:process";
import { Random } from "../reference/random.ts";
import { Client, type Run, SMALL_RUN } from "../server/client.ts";
import { ROOT } from "../support/deno.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { type BadRequest, BadRequests, type Known, type OpenApi } from "./bad_requests.ts";
import { exchange, type RawAnswer } from "./raw_http.ts";

/**
 * 10,000 bad requests. `FUZZ_SEED` repeats a run of them; every failure names the request's number and its bytes.
 */

const SEED = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
const AT_ONCE = 8;
/** Compiled code and a heap that any requests bring about. */
const WARM_UP = 2000;
const ANSWER_MS = 10_000;
/** Over 40,000 requests memory moved between 78 and 106 MiB above that of the first 1,000, up and down. */
const GROWTH_MIB = 128;
const TIMEOUT_MS = 180_000;

const TOKEN = "a-token-of-some-length";
for (
  const { name, token, count } of [{ name: "without a token", token: null, count: 8000 }, {
    name: "with one",
    token: TOKEN,
    count: 2000,
  }]
) {
  let server: RunningServer;
  let fuzz: Fuzz;
  beforeAll(async () => {
    server = await startServer({ env: { LOG_LEVEL: "error", REVERIE_TOKEN: token ?? "" } });
    fuzz = await Fuzz.prepare(server, token);
  }, TIMEOUT_MS);
  afterAll(() => server[Symbol.asyncDispose]());

  test(`${count} bad requests to a server ${name} get their answers, and it goes on as before`, async () => {
    console.log(`FUZZ_SEED=${SEED}, ${count} requests to a server ${name}`);
    const before = await fuzz.remains();
    await fuzz.send(Math.min(WARM_UP, count / 2));
    const warm = server.residentMib;
    await fuzz.send(count);
    const grown = server.residentMib - warm;
    console.log(fuzz.summary(), `memory ${grown < 0 ? "" : "+"}${grown.toFixed(0)} MiB`);
    expect(fuzz.failures).toEqual([]);
    expect(fuzz.badShare).toBeGreaterThan(0.9); // or the requests are not bad enough
    expect(grown).toBeLessThan(GROWTH_MIB);
    const after = await fuzz.remains();
    // What was valid by chance was answered with 2xx and may have left its row.
    expect(after.rows - before.rows).toBeLessThanOrEqual(fuzz.created);
    expect(after.files.filter((file) => !before.files.includes(file)).length).toBeLessThanOrEqual(fuzz.created);
    expect(after.files.filter((file) => file.endsWith(".tmp"))).toEqual([]);
    expect(server.stderr.slice(0, 2000)).toBe("");
    await fuzz.trainsStill();
  }, TIMEOUT_MS);
}

class Fuzz {
  readonly failures: string[] = [];
  created = 0;
  readonly #requests: BadRequests;
  readonly #statuses = new Map<string, number>();
  #sent = 0;
  #slowestMs = 0;

  private constructor(
    private readonly server: RunningServer,
    private readonly client: TokenClient,
    token: string | null,
    api: OpenApi,
    known: Known,
  ) {
    this.#requests = new BadRequests(new Random(SEED + (token === null ? 0 : 1)), api, known);
  }

  /** A server with a run, a checkpoint, a dataset and hooks, so that requests get past what is unknown. */
  static async prepare(server: RunningServer, token: string | null): Promise<Fuzz> {
    const client = new TokenClient(server.url, token);
    const run = await client.post<Run>("/api/runs", { ...SMALL_RUN, max_steps: 20 });
    await client.reached(run.id, "succeeded");
    const [checkpoint] = await client.checkpoints(run.id);
    const hooks = [];
    for (const scheme of ["standard", "github"]) {
      const hook = { name: `${scheme}-hook`, scheme, run: SMALL_RUN, map: { seed: "$.seed" } };
      hooks.push((await client.post<{ name: string }>("/api/hooks", hook)).name);
    }
    const known = {
      host: new URL(server.url).host,
      ids: [run.id, checkpoint.id, "sample", ...hooks],
      checkpointFile: `/api/checkpoints/${checkpoint.id}/files/model.safetensors`,
      hooks,
      token,
    };
    return new Fuzz(server, client, token, await client.get<OpenApi>("/openapi.json"), known);
  }

  /** Goes on until `count` requests were sent. */
  async send(count: number): Promise<void> {
    const workers = Array.from({ length: AT_ONCE }, async () => {
      while (this.#sent < count) {
        const number = this.#sent++;
        const request = this.#requests.next();
        const { isHttp, endsEarly } = request;
        // What is no HTTP may leave a server waiting for more of it.
        const answer = await exchange(this.server.url, request.bytes, {
          timeoutMs: isHttp ? ANSWER_MS : 3000,
          endsEarly,
        });
        this.#judge(number, request, answer);
      }
    });
    await Promise.all(workers);
  }

  #judge(number: number, request: BadRequest, answer: RawAnswer): void {
    const { status, elapsedMs } = answer;
    const shown = status === null ? (answer.isTimeout ? "no answer" : "closed") : `${Math.floor(status / 100)}xx`;
    this.#statuses.set(shown, (this.#statuses.get(shown) ?? 0) + 1);
    if (!answer.isTimeout) this.#slowestMs = Math.max(this.#slowestMs, elapsedMs);
    if (status === 201 || status === 202) this.created++;
    const wrong = this.#wrongWith(request, answer);
    if (wrong === null || this.failures.length >= 20) return;
    const sent = Buffer.from(request.bytes.subarray(0, 300)).toString("latin1");
    this.failures.push(`${number} (${request.kind}), ${wrong}\n${sent}\n=> ${status} ${answer.body.slice(0, 300)}`);
  }

  #wrongWith({ isHttp, isApi }: BadRequest, { status, headers, body, isTimeout }: RawAnswer): string | null {
    if (status === null) return !isHttp ? null : isTimeout ? "no answer" : "closed without an answer";
    if (status >= 500) return "a server's error";
    for (const secret of [this.server.dataFolder, ROOT, "file://", "node_modules", "    at "]) {
      if (body.includes(secret)) return `the answer holds ${secret}`;
    }
    // Other paths than these are pages and the browser's; what is no HTTP is answered by the parser.
    if (status < 400 || !isHttp || !isApi) return null;
    if (headers["content-type"] !== "application/problem+json") return `the answer is ${headers["content-type"]}`;
    if (body === "") return null; // HEAD
    const problem = JSON.parse(body);
    const isWhole = ["type", "title", "detail", "request_id"].every((member) => typeof problem[member] === "string");
    return isWhole && problem.status === status ? null : "not a whole problem";
  }

  get badShare(): number {
    return 1 - (this.#statuses.get("2xx") ?? 0) / this.#sent;
  }

  summary(): string {
    const counts = [...this.#statuses].sort().map(([status, count]) => `${status} ${count}`);
    return `${counts.join(", ")}; ${this.created} made by chance; slowest ${this.#slowestMs.toFixed(0)} ms;`;
  }

  /** What is in the database, and the data folder's files. */
  async remains(): Promise<{ rows: number; files: string[] }> {
    let rows = 0;
    for (const path of ["/api/runs", "/api/datasets", "/api/hooks"]) {
      for (let after = ""; after !== null;) {
        type Page = { data: unknown[]; next_cursor: string };
        const page: Page = await this.client.get(`${path}?limit=100${after && `&after=${after}`}`);
        rows += page.data.length;
        after = page.next_cursor;
      }
    }
    const files = readdirSync(this.server.dataFolder, { recursive: true }).map(String).sort();
    return { rows, files };
  }

  async trainsStill(): Promise<void> {
    const start = performance.now();
    expect((await this.client.fetch("/readyz")).status).toBe(200);
    expect(performance.now() - start).toBeLessThan(2000);
    const { id } = await this.client.post<Run>("/api/runs", { ...SMALL_RUN, max_steps: 20 });
    await this.client.reached(id, "succeeded");
  }
}

class TokenClient extends Client {
  constructor(url: string, private readonly token: string | null) {
    super(url);
  }

  override fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.token !== null) headers.set("authorization", `Bearer ${this.token}`);
    return super.fetch(path, { ...init, headers });
  }
}
