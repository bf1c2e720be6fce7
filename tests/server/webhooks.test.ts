import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { Receiver, statusAnswer, verify } from "../support/receiver.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { waitFor } from "../support/wait_for.ts";
import { Client, type Run, SMALL_RUN } from "./client.ts";

const TIMEOUT_MS = 180_000;

type Webhook = { id: string; secret: string };
type Delivery = { id: string; status: string; attempts: number; error: string | null };

const deliveries = async (client: Client, id: string) =>
  (await client.get<{ data: Delivery[] }>(`/api/webhooks/${id}/deliveries`)).data;

test("run.succeeded arrives though the server is killed between the event and its delivery", async () => {
  await using receiver = await Receiver.listen(() => {}); // takes the message and never answers
  const env = { REVERIE_ALLOW_PRIVATE_URLS: "1" };
  const servers: RunningServer[] = [await startServer({ env })];
  const [{ dataFolder }] = servers;
  try {
    let client = new Client(servers[0].url);
    const body = { url: receiver.url, events: ["run.succeeded"] };
    const { id, secret } = await client.post<Webhook>("/api/webhooks", body);
    const run = await client.post<Run>("/api/runs", { ...SMALL_RUN, max_steps: 20 });
    await receiver.messages(1, 90_000);
    expect((await client.run(run.id)).status).toBe("succeeded");
    await servers[0].stop("SIGKILL");

    receiver.answer = statusAnswer(204);
    servers.push(await startServer({ dataFolder, env }));
    client = new Client(servers[1].url);
    const [first, second] = await receiver.messages(2);
    verify(secret, first);
    verify(secret, second);
    expect(second.headers["webhook-id"]).toBe(first.headers["webhook-id"]);
    expect(second.text).toBe(first.text);
    const event = (await client.events(run.id)).find(({ type }) => type === "run.succeeded")!;
    expect(second.body).toMatchObject({ type: "run.succeeded", data: { run_id: run.id, sequence: event.sequence } });
    await waitFor("the success", async () => (await deliveries(client, id))[0].status === "succeeded");
    expect(await deliveries(client, id)).toHaveLength(1);

    // One that never answers does not keep a server from stopping.
    receiver.answer = () => {};
    await client.post(`/api/webhooks/${id}/ping`);
    await receiver.messages(3);
    expect((await servers[1].stop("SIGTERM", 10_000)).code).toBe(0);
  } finally {
    for (const server of servers.reverse()) await server[Symbol.asyncDispose]();
    rmSync(dataFolder, { recursive: true, force: true });
  }
}, TIMEOUT_MS);

test("by default no webhook can be added for an address of the inside", async () => {
  await using receiver = await Receiver.listen();
  await using server = await startServer({ env: { REVERIE_ALLOW_PRIVATE_URLS: "" } });
  const client = new Client(server.url);
  const add = (url: string) => client.post<Webhook>("/api/webhooks", { url, events: ["run.succeeded"] });
  for (const host of ["127.0.0.1", "2130706433", "localhost", "[::1]", "[::ffff:127.0.0.1]"]) {
    await expect(add(`http://${host}:${receiver.port}/`)).rejects.toThrow("422");
  }
  expect(receiver.received).toEqual([]);
}, TIMEOUT_MS);
