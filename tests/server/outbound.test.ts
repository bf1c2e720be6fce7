import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { ROOT, runInDeno } from "../support/deno.ts";

/** Self-signed for hooks.example, until 2125: `openssl req -x509 -days 36500 -addext subjectAltName=DNS:hooks.example`. */
const TLS = `${ROOT}tests/fixtures/tls/`;
const TIMEOUT_MS = 60_000;

test(
  "in Deno, TLS to a checked address is verified against the URL's name, and names of the inside are refused",
  async () => {
    const asked: (string | false | null | undefined)[] = [];
    const server = createServer(
      { cert: readFileSync(`${TLS}certificate.pem`), key: readFileSync(`${TLS}key.pem`) },
      (request, response) => {
        asked.push((request.socket as TLSSocket & { servername?: string }).servername, request.headers.host);
        response.writeHead(204).end();
      },
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const urls = ["hooks.example", "other.example", "127.0.0.1"].map((host) => `https://${host}:${port}/`);
    const call = (...args: string[]) =>
      runInDeno<(number | string)[]>("tests/server/outbound_calls.ts", args, {
        env: { NODE_EXTRA_CA_CERTS: `${TLS}certificate.pem`, DENO_CERT: `${TLS}certificate.pem` },
      });
    try {
      expect(await call("private", ...urls)).toEqual([
        204,
        "ERR_TLS_CERT_ALTNAME_INVALID",
        "ERR_TLS_CERT_ALTNAME_INVALID",
      ]);
      expect(asked).toEqual(["hooks.example", `hooks.example:${port}`]);
      for (const outcome of await call("public", ...urls)) expect(outcome).toContain("not on the public Internet");
      expect(asked).toHaveLength(2);
    } finally {
      server.close();
    }
  },
  TIMEOUT_MS,
);
