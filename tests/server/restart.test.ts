import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { RunningServer, startServer } from "../support/server.ts";
import { waitFor } from "../support/wait_for.ts";
import { Client, type Run, SMALL_RUN } from "./client.ts";

const TIMEOUT_MS = 180_000;
/** Long enough to be stopped in, with a checkpoint behind it that is not the last step. */
const BODY = { ...SMALL_RUN, max_steps: 400, checkpoint: { every: 30, keep: 2 } };

/** What must not depend on being stopped: the history, and every bit of the final weights and optimizer. */
async function outcomeOf(client: Client, id: string) {
  const [final] = await client.checkpoints(id);
  const files = final.files.filter(({ name }) => name.endsWith(".safetensors"));
  return { step: final.step, files, losses: await client.losses(id) };
}

/** Trains to the end over three lives of the process, two of them ended by `signal`. */
async function trainThrough(signal: NodeJS.Signals) {
  let server = await startServer();
  const { dataFolder } = server;
  const servers = [server];
  try {
    let client = new Client(server.url);
    const { id } = await client.post<Run>("/api/runs", BODY);
    for (const step of [40, 150]) {
      await client.stepped(id, step);
      const ending = await server.stop(signal);
      if (signal === "SIGTERM") expect(ending).toEqual({ code: 0, signal: null });
      server = await startServer({ dataFolder });
      servers.push(server);
      client = new Client(server.url);
    }
    const run = await client.reached(id, "succeeded");
    expect(run.attempts).toBe(2);
    const types = (await client.events(id)).map(({ type }) => type);
    expect(types.filter((type) => type === "run.interrupted")).toHaveLength(2);
    expect(types.filter((type) => type === "run.started")).toHaveLength(3);
    return await outcomeOf(client, id);
  } finally {
    for (const server of servers.reverse()) await server[Symbol.asyncDispose]();
    rmSync(dataFolder, { recursive: true, force: true });
  }
}

test("a run is the same, bit for bit, whether the server was stopped, killed or left alone", async () => {
  await using server = await startServer();
  const client = new Client(server.url);
  const { id } = await client.post<Run>("/api/runs", BODY);
  await client.reached(id, "succeeded");
  const undisturbed = await outcomeOf(client, id);
  expect(undisturbed.losses.steps).toEqual(Array.from({ length: BODY.max_steps }, (_, i) => i + 1));
  expect(undisturbed.files).toHaveLength(2);
  expect(await trainThrough("SIGTERM")).toEqual(undisturbed);
  expect(await trainThrough("SIGKILL")).toEqual(undisturbed);
}, TIMEOUT_MS);

test("a stop ends open streams and takes less than ten seconds", async () => {
  await using server = await startServer();
  const client = new Client(server.url);
  const { id } = await client.post<Run>("/api/runs", { ...BODY, max_steps: 100_000 });
  await client.stepped(id, 1);
  const streamed = client.stream("/api/events", null);
  // One that has not arrived would be refused: ECONNREFUSED, or ECONNRESET.
  await waitFor("the open stream", async () => (await (await client.fetch("/metrics")).text()).includes("clients 1\n"));
  const began = performance.now();
  expect((await server.stop("SIGTERM")).code).toBe(0);
  expect(performance.now() - began).toBeLessThan(10_000);
  expect((await streamed).at(-1)!.type).toBe("run.interrupted");
}, TIMEOUT_MS);

test("an address that others can reach wants a token", async () => {
  await using open = new RunningServer({ env: { HOST: "0.0.0.0", REVERIE_TOKEN: "" } });
  expect((await open.ended(30_000)).code).toBe(1);
  expect(open.stderr).toContain("REVERIE_TOKEN");
}, TIMEOUT_MS);

test("what the system refuses is said in a line, not as a stack", async () => {
  await using server = await startServer();
  const port = new URL(server.url).port;
  await using second = new RunningServer({ env: { PORT: port } });
  expect((await second.ended(30_000)).code).toBe(1);
  expect(second.stderr.trim()).toMatch(new RegExp(`^Reverie cannot start: .*PORT=${port}: .*[Aa]ddress.*$`));

  await using homeless = new RunningServer({ dataFolder: `${server.dataFolder}/lock` });
  expect((await homeless.ended(30_000)).code).toBe(1);
  expect(homeless.stderr.trim()).toMatch(/^Reverie cannot start: REVERIE_DATA=.* cannot be written: .*$/);
}, TIMEOUT_MS);
