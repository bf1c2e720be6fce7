import { afterEach, expect, spyOn, test } from "bun:test";
import http, { type ClientRequest, type RequestOptions } from "node:http";
import { Outbound } from "#src/runs/outbound.ts";
import { OutboundUrlError } from "#src/runs/outbound_url.ts";
import { Receiver } from "../../support/receiver.ts";

const { request } = http;
const PUBLIC = "93.184.215.14";
const BODY = '{"type":"ping"}';

/** Takes the place of the Internet: dialled addresses are kept, and `port` on loopback answers for all of them. */
function dialInto(port: number): RequestOptions[] {
  const dialled: RequestOptions[] = [];
  spies.push(
    spyOn(http, "request").mockImplementation(
      ((options: RequestOptions): ClientRequest => {
        dialled.push(options);
        return request({ ...options, host: "127.0.0.1", port });
      }) as typeof http.request,
    ),
  );
  return dialled;
}

const spies: { mockRestore(): void }[] = [];
afterEach(() => {
  for (const spy of spies.splice(0)) spy.mockRestore();
});

function post(outbound: Outbound, url: string, signal = new AbortController().signal) {
  return outbound.request(url, { method: "POST", headers: {}, body: BODY, signal });
}

test("a name is resolved once, and its checked address is dialled under its own name", async () => {
  await using receiver = await Receiver.listen();
  const dialled = dialInto(receiver.port);
  const answers = [[PUBLIC], ["127.0.0.1"], ["10.0.0.1"]];
  let asked = 0;
  const outbound = new Outbound({ allowPrivate: false, resolve: () => Promise.resolve(answers[asked++]) });
  const response = await post(outbound, "http://rebinding.example:8080/a?b=c");
  expect(response.statusCode).toBe(204);
  expect(asked).toBe(1);
  expect(dialled).toHaveLength(1);
  expect(dialled[0]).toMatchObject({ host: PUBLIC, port: "8080" });
  expect(dialled[0].lookup).toBeUndefined();
  expect(receiver.received[0]).toMatchObject({ path: "/a?b=c", text: BODY });
  expect(receiver.received[0].headers.host).toBe("rebinding.example:8080");
  // The second answer is another call's, and refused there.
  await expect(post(outbound, "http://rebinding.example/")).rejects.toThrow(OutboundUrlError);
  expect(dialled).toHaveLength(1);
});

test.each([
  ["loopback", ["127.0.0.1"]],
  ["private", ["10.1.2.3"]],
  ["clouds' metadata", ["169.254.169.254"]],
  ["IPv6 loopback", ["::1"]],
  ["mapped loopback", ["::ffff:127.0.0.1"]],
  ["NAT64 of private", ["64:ff9b::c0a8:1"]],
  ["a public and a private one", [PUBLIC, "192.168.0.1"]],
  ["a private and a public one", ["fd00::1", PUBLIC]],
  ["none", []],
  ["no address at all", ["localhost"]],
])("a name whose addresses are %s is not dialled", async (_, addresses) => {
  const dialled = dialInto(1);
  const outbound = new Outbound({ allowPrivate: false, resolve: () => Promise.resolve(addresses) });
  const error = await post(outbound, "http://inside.example/").catch((error: Error) => error);
  expect(error).toBeInstanceOf(OutboundUrlError);
  for (const address of addresses) expect((error as Error).message).not.toContain(address);
  expect(dialled).toEqual([]);
});

test("a literal address is checked at each call too, and never resolved", async () => {
  const dialled = dialInto(1);
  const outbound = new Outbound({ allowPrivate: false, resolve: () => Promise.reject(new Error("asked")) });
  await expect(post(outbound, "http://127.0.0.1/")).rejects.toThrow(OutboundUrlError);
  await expect(post(outbound, "http://[::1]/")).rejects.toThrow(OutboundUrlError);
  expect(dialled).toEqual([]);
});

test("a redirect is answered as one, and not followed", async () => {
  await using inside = await Receiver.listen();
  await using receiver = await Receiver.listen((_, response) =>
    response.writeHead(307, { location: inside.url }).end()
  );
  const response = await post(new Outbound({ allowPrivate: true }), receiver.url);
  expect(response.statusCode).toBe(307);
  expect(inside.received).toEqual([]);
});

test("where an address cannot be reached, the name's next one is asked", async () => {
  await using receiver = await Receiver.listen();
  const outbound = new Outbound({ allowPrivate: true, resolve: () => Promise.resolve(["127.0.0.2", "127.0.0.1"]) });
  expect((await post(outbound, `http://two.example:${receiver.port}/`)).statusCode).toBe(204);
});

test("a call ends with its signal: in the look-up, before the answer, within its body", async () => {
  const reason = new Error("enough");
  const looking = new AbortController();
  const stuck = post(
    new Outbound({ allowPrivate: true, resolve: () => new Promise(() => {}) }),
    "http://stuck.example/",
    looking.signal,
  );
  looking.abort(reason);
  expect(await stuck.catch((error) => error)).toBe(reason);

  await using silent = await Receiver.listen(() => {});
  const waiting = new AbortController();
  const unanswered = post(new Outbound({ allowPrivate: true }), silent.url, waiting.signal);
  unanswered.catch(() => {});
  await silent.messages(1);
  waiting.abort(reason);
  expect(await unanswered.catch((error) => error)).toBe(reason);

  await using dripping = await Receiver.listen((_, response) => void response.writeHead(200).write("drip"));
  const reading = new AbortController();
  const response = await post(new Outbound({ allowPrivate: true }), dripping.url, reading.signal);
  const read = (async () => {
    for await (const _ of response) reading.abort(reason);
  })();
  expect(await read.then(() => "ended", () => "broken off")).toBe("broken off");
});
