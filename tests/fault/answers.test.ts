import { expect, test } from "bun:test";
import { Webhook } from "standardwebhooks";
import { type Client, type Run, SMALL_RUN } from "../server/client.ts";
import { Follower } from "./follower.ts";
import { Lives } from "./lives.ts";
import { checkRemains, NOTHING } from "./remains.ts";
import { delay, randomOf } from "./seed.ts";

const KILLS = 10;
/** What takes less to answer than a server takes to do it. */
const MOST_MS = 20;
/** Left in the queue: lives too short to train it would end it after five. */
const BODY = { ...SMALL_RUN, drive: "invoke" };

/** Sends one request that starts a run, as a client does that may have to repeat it; gives the run's id. */
type Send = (client: Client) => Promise<string>;

function post(key: string): Send {
  return async (client) => {
    const headers = { "content-type": "application/json", "idempotency-key": key };
    const response = await client.fetch("/api/runs", { method: "POST", headers, body: JSON.stringify(runOf(key)) });
    expect(response.status).toBe(202);
    return (await response.json() as Run).id;
  };
}

function deliver(key: string, { url, secret }: { url: string; secret: string }): Send {
  const body = JSON.stringify({ key });
  return async (client) => {
    const at = new Date();
    const headers = {
      "webhook-id": key,
      "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
      "webhook-signature": new Webhook(secret).sign(key, at, body),
    };
    const response = await client.fetch(new URL(url, "http://localhost").pathname, { method: "POST", headers, body });
    expect(response.status).toBe(202);
    return (await response.json() as { run_id: string }).run_id;
  };
}

function runOf(key: string) {
  return { ...BODY, name: key };
}

test(
  "a request repeated after its server was killed starts one run, whichever came first, event, answer or kill",
  async () => {
    const random = randomOf(3);
    await using lives = new Lives();
    const follower = new Follower();
    let client = await lives.begin();
    const hook = await client.post<{ url: string; secret: string }>("/api/hooks", {
      name: "push",
      run: BODY,
      map: { name: "$.key" },
    });
    let remains = NOTHING;
    const started: { key: string; id: string }[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      const key = `request-${kill}`;
      const send = kill % 2 === 0 ? post(key) : deliver(key, hook);
      follower.follow(lives.server.url, remains.lastSequence);
      const answer = send(client).catch((error: Error) => {
        if ((error as { code?: string }).code === undefined) throw error; // an answer that was not 202
        return null;
      });
      if (kill % 4 < 2) await delay(random.below(MOST_MS));
      else await follower.at("the run queued", ({ type, data }) => type === "run.queued" && data.name === key);
      await lives.kill();
      await follower.settle();
      remains = checkRemains(lives.dataFolder);
      const first = await answer;
      client = await lives.begin();
      const id = await send(client);
      if (first !== null) expect(id).toBe(first);
      expect(await send(client)).toBe(id);
      started.push({ key, id });
    }
    type Runs = { data: (Run & { name: string })[] };
    const { data } = await client.get<Runs>("/api/runs?limit=100");
    expect(data.map(({ name, id }) => ({ key: name, id })).reverse()).toEqual(started);
    for (const { id } of started) {
      expect((await client.events(id)).map(({ type }) => type)).toEqual(["run.queued"]);
    }
    await lives.stop();
  },
  120_000,
);
