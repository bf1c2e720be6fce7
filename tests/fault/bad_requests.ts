import { randomBytes } from "node:crypto";
import type { Random } from "../reference/random.ts";
import { badBody, DEEP, pick, type Schema } from "./bad_json.ts";
import { METHODS, ODD_PATH_PARTS, ODD_VALUES, RANGES, TYPES } from "./odd_values.ts";

export interface OpenApi {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

interface Operation {
  parameters?: { name: string; in: "path" | "query" | "header" }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
}

/** What is there on the server, so that a request may get past the first check. */
export interface Known {
  host: string;
  /** For paths' parameters. */
  ids: string[];
  checkpointFile: string;
  hooks: string[];
  token: string | null;
}

export interface BadRequest {
  kind: string;
  bytes: Uint8Array;
  /** It is HTTP, so it must be answered; otherwise a closed connection will do. */
  isHttp: boolean;
  /** The path is under /api or /hooks, as it is written. */
  isApi: boolean;
  /** The client closes its side without having sent what it announced. */
  endsEarly?: boolean;
}

const text = new TextEncoder();

/** Bad requests without end, from a seed: most are HTTP with something wrong in one place, some are no HTTP at all. */
export class BadRequests {
  constructor(
    private readonly random: Random,
    private readonly api: OpenApi,
    private readonly known: Known,
  ) {}

  next(): BadRequest {
    const makers: [share: number, kind: string, make: () => Omit<BadRequest, "kind">][] = [
      [35, "body", () => this.#body()],
      [18, "parameter", () => this.#parameter()],
      [10, "path", () => this.#path()],
      [5, "method", () => this.#method()],
      [5, "content type", () => this.#contentType()],
      [8, "bytes as body", () => this.#bytesAsBody()],
      [4, "range", () => this.#range()],
      [4, "authorization", () => this.#authorization()],
      [4, "signature", () => this.#signature()],
      [1, "deep", () => this.#deep()],
      [1, "long", () => this.#long()],
      [5, "no HTTP", () => this.#noHttp()],
    ];
    let at = this.random.uniform() * makers.reduce((sum, [share]) => sum + share, 0);
    const [, kind, make] = makers.find(([share]) => (at -= share) < 0)!;
    return { kind, ...make() };
  }

  #body() {
    const { method, path, operation } = this.#operation(({ requestBody }) => requestBody !== undefined);
    const [[type, { schema }]] = Object.entries(operation.requestBody!.content);
    // A text is whatever is not UTF-8.
    const body = type === "text/plain"
      ? Uint8Array.of(97, 0xc3, 0x28, ...randomBytes(20))
      : text.encode(badBody(this.random, schema, this.api.components.schemas));
    return this.#http(method, this.#fill(path, method), { "content-type": type, ...this.#key() }, body);
  }

  #parameter() {
    const { method, path, operation } = this.#operation(({ parameters = [] }) => parameters.length > 0);
    const query = (operation.parameters ?? []).filter((parameter) => parameter.in === "query")
      .map(({ name }) => `${name}=${this.#odd()}`);
    query.push(`${this.#odd()}=${this.#odd()}`);
    const headers = Object.fromEntries(
      (operation.parameters ?? []).filter((parameter) => parameter.in === "header").map((
        { name },
      ) => [name, this.#odd()]),
    );
    const target = `${this.#fill(path, method)}?${query.join("&")}`;
    const accept = pick(this.random, ["application/json", "text/event-stream", "*/*", ";;;", "text/csv"]);
    return this.#http(method, target, { ...headers, accept });
  }

  #path() {
    const parts = Array.from(
      { length: 1 + Math.floor(this.random.uniform() * 4) },
      () => pick(this.random, ODD_PATH_PARTS),
    );
    const root = pick(this.random, ["/api/", "/api/runs/", "/api/datasets/", "/hooks/", "/api/checkpoints/", "/", ""]);
    const target = pick(this.random, [
      root + parts.join("/"),
      `${root}${parts.join("/")}?${this.#odd()}`,
      `http://${this.known.host}${root}${parts.join("/")}`,
    ]);
    return this.#http(pick(this.random, ["GET", "DELETE", "POST"]), target, {});
  }

  #method() {
    const { path } = this.#operation(() => true);
    const method = pick(this.random, METHODS);
    const answer = this.#http(method, this.#fill(path, "DELETE"), {}, text.encode("{}"));
    return { ...answer, isHttp: !["CONNECT", "get", "FOO", "PURGE"].includes(method) }; // the parser knows its methods
  }

  #contentType() {
    const { method, path } = this.#operation(({ requestBody }) => requestBody !== undefined);
    const boundary = "b".repeat(Math.floor(this.random.uniform() * 80));
    const type = pick(this.random, [...TYPES, `multipart/form-data; boundary=${boundary}`]);
    const part = `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="a\0.txt"\r\n\r\nabc`;
    const body = pick(this.random, ["{}", "", part, `${part}\r\n--${boundary}-`, part.slice(0, 30), `--${boundary}--`]);
    return this.#http(method, this.#fill(path, method), { "content-type": type }, text.encode(body));
  }

  #bytesAsBody() {
    const { method, path } = this.#operation(({ requestBody }) => requestBody !== undefined);
    const body = pick<() => Uint8Array>(this.random, [
      () => randomBytes(Math.floor(this.random.uniform() * 5000)),
      () => text.encode('{"dataset":"sample","model":{"n_layer":'),
      () => Uint8Array.of(0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d),
      () => Uint8Array.of(0xef, 0xbb, 0xbf, 0x7b, 0x7d),
      () => text.encode('{"a":1}{"a":1}'),
      () => new Uint8Array(2_000_000).fill(0x5b),
      () => text.encode(`"${"\\u0000".repeat(1000)}"`),
      () => new Uint8Array(0),
    ])();
    const whole = this.#http(
      method,
      this.#fill(path, method),
      { "content-type": "application/json", ...this.#key() },
      body,
    );
    if (this.random.uniform() > 0.1) return whole;
    // Half of what was announced.
    return {
      ...whole,
      bytes: whole.bytes.subarray(0, whole.bytes.length - Math.ceil(body.length / 2) - 1),
      isHttp: false,
      endsEarly: true,
    };
  }

  #range() {
    const headers: Record<string, string> = { range: pick(this.random, RANGES) };
    if (this.random.uniform() < 0.3) {
      headers["if-range"] = pick(this.random, ['"', 'W/"a"', "Thu, 01 Jan 1970", "\xff", '"a","b"']);
    }
    if (this.random.uniform() < 0.2) headers["if-none-match"] = pick(this.random, ['"', ",,,", '"'.repeat(3000), "W/"]);
    const odd = this.known.checkpointFile + pick(this.random, ["", "", "/..", "%00", "%2f..%2fconfig.json"]);
    return this.#http(pick(this.random, ["GET", "HEAD"]), odd, headers);
  }

  #authorization() {
    const { method, path } = this.#operation(() => true);
    const bad: Record<string, string>[] = [
      {
        authorization: pick(this.random, [
          "Bearer",
          "Bearer ",
          `Bearer ${"x".repeat(5000)}`,
          "Basic Og==",
          "\xff",
          "bearer a b",
          "Bearer \t",
        ]),
      },
      {
        cookie: pick(this.random, [
          "reverie_session=",
          "reverie_session=%00",
          "=;=;=",
          "a".repeat(4000),
          "reverie_session=\xff; reverie_session=1",
        ]),
      },
      {
        host: pick(this.random, [
          "evil.example",
          "127.0.0.1:x",
          "",
          "[::1",
          "a b",
          "127.0.0.1@evil",
          "localhost:99999",
          "%00",
          "xn--a",
        ]),
      },
      {
        origin: pick(this.random, [
          "null",
          "https://evil.example",
          "",
          "http://",
          "javascript:1",
          `http://${this.known.host}.evil`,
        ]),
      },
    ];
    return this.#http(
      method === "delete" ? "GET" : method,
      this.#fill(path, "DELETE"),
      pick(this.random, bad),
      text.encode("{}"),
      false,
    );
  }

  #signature() {
    const at = pick(this.random, [
      String(Math.floor(Date.now() / 1000)),
      "0",
      "-1",
      "1e999",
      "NaN",
      "",
      "9".repeat(400),
    ]);
    const forged = pick(this.random, [
      "v1,AAAA",
      "v1,",
      "v1",
      "",
      "v1,\xff",
      "v2,AAAA v1,BBBB",
      "v1,AAAA ".repeat(500),
      `v1,${"A".repeat(44)}`,
    ]);
    const headers = pick<Record<string, string>>(this.random, [
      { "webhook-id": this.#odd(), "webhook-timestamp": at, "webhook-signature": forged },
      {
        "x-hub-signature-256": pick(this.random, [`sha256=${"0".repeat(64)}`, "sha256=", "sha1=00", "sha256=zz", "="]),
        "x-github-delivery": this.#odd(),
        "x-github-event": "ping",
      },
      { "x-github-event": "push" },
    ]);
    return this.#http(
      "POST",
      `/hooks/${pick(this.random, [...this.known.hooks, "nobody", "%00", "..%2f"])}`,
      headers,
      text.encode('{"seed":1}'),
    );
  }

  #deep() {
    const { method, path } = this.#operation(({ requestBody }) =>
      requestBody?.content["application/json"] !== undefined
    );
    const [open, close] = pick(this.random, [["[", "]"], ['{"a":', "}"], ['{"run":', "}"]]);
    const nested = open.repeat(DEEP) + "1" + (this.random.uniform() < 0.7 ? close.repeat(DEEP) : "");
    const body = pick(this.random, [
      nested,
      `{"name":"deep","run":{"tags":${nested}}}`,
      `{"dataset":"sample","tags":${nested}}`,
    ]);
    return this.#http(method, this.#fill(path, method), { "content-type": "application/json" }, text.encode(body));
  }

  #long() {
    const long = "a".repeat(pick(this.random, [9000, 17_000, 70_000, 300_000]));
    const { isApi, ...request } = pick(this.random, [
      () => this.#http("GET", `/api/runs/${long}`, {}),
      () => this.#http("GET", `/api/runs?after=${long}`, {}),
      () => this.#http("GET", "/api/runs", { "x-long": long }),
      () => this.#http("GET", "/api/runs", Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`x-${i}`, "1"]))),
    ])();
    return { ...request, isApi, isHttp: false }; // the parser of HTTP has limits of its own
  }

  #noHttp() {
    const bytes = pick<() => Uint8Array>(this.random, [
      () => randomBytes(1 + Math.floor(this.random.uniform() * 3000)),
      () => text.encode("GET\r\n\r\n"),
      () => text.encode("GET /api/runs HTTP/9.9\r\nhost: localhost\r\n\r\n"),
      () => text.encode("GET /api/runs HTTP/1.1\r\nhost localhost\r\n\r\n"),
      () => text.encode("GET /api/runs HTTP/1.1\r\n\r\n"),
      () => text.encode("GET /api runs HTTP/1.1\r\nhost: localhost\r\n\r\n"),
      () => text.encode("GET /api/runs HTTP/1.1\r\nhost: localhost\r\nx: a\0b\r\n\r\n"),
      () => text.encode("POST /api/runs HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n{}"),
      () =>
        text.encode("POST /api/runs HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}"),
      () =>
        text.encode(
          "POST /api/runs HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        ),
      () => text.encode("POST /api/runs HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n"),
      () =>
        text.encode(
          "POST /api/runs HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n{}",
        ),
      () => text.encode("POST /api/runs HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: gzip\r\n\r\n{}"),
      () => text.encode("POST /api/runs HTTP/1.1\r\nhost: localhost\r\nexpect: nothing\r\ncontent-length: 2\r\n\r\n{}"),
      () => text.encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
      () =>
        text.encode("GET /api/events HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"),
      () => Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, ...randomBytes(200)),
    ])();
    return { bytes, isHttp: false, isApi: false, endsEarly: true };
  }

  #operation(suits: (operation: Operation) => boolean): { method: string; path: string; operation: Operation } {
    const all = Object.entries(this.api.paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation }))
    );
    return pick(this.random, all.filter(({ operation }) => suits(operation)));
  }

  /** Nothing that is there is to be deleted: for DELETE ids are always wrong. */
  #fill(path: string, method: string): string {
    return path.replaceAll(/\{[^}]+\}/g, () => {
      const isKnown = method !== "DELETE" && this.random.uniform() < 0.6;
      return isKnown ? pick(this.random, this.known.ids) : pick(this.random, ODD_PATH_PARTS.slice(2));
    });
  }

  #key(): Record<string, string> {
    if (this.random.uniform() > 0.2) return {};
    return {
      "idempotency-key": pick(this.random, [
        "",
        "k".repeat(256),
        "\xff\xfe",
        " ",
        "a",
        "a\tb",
        "__proto__",
      ]),
    };
  }

  #odd(): string {
    return pick(this.random, ODD_VALUES);
  }

  #http(method: string, target: string, headers: Record<string, string>, body?: Uint8Array, hasToken = true) {
    const all: Record<string, string> = {
      host: this.known.host,
      connection: "close",
      ...(hasToken && this.known.token !== null && { authorization: `Bearer ${this.known.token}` }),
      ...(body && { "content-length": String(body.length) }),
      ...headers,
    };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value.replaceAll(/[\r\n\0]/g, "")}`);
    const head = Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`, "latin1");
    const path = target.replace(/^http:\/\/[^/]+/, "");
    return {
      bytes: body ? Buffer.concat([head, body]) : head,
      isHttp: true,
      // Dot segments may lead out again; what is no path at all is refused before there is a route.
      isApi: /^\/(api|hooks)\/[^?]*/.test(path) && !/(^|\/|\\|%5c)(\.|%2e)+(\/|\\|%2f|%5c|\?|$)/i.test(path),
    };
  }
}
