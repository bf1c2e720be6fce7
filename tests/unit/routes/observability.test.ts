import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { openLog } from "#src/log.ts";
import { Fixture } from "../runs/fixture.ts";
import { call } from "./http.ts";

let fixture: Fixture;
let lines: Record<string, unknown>[];
let written: string;

async function open(tokens: string[] = []) {
  lines = [];
  written = "";
  const write = (line: string) => {
    written += line;
    lines.push(JSON.parse(line));
  };
  fixture = await Fixture.open({ tokens, log: openLog("debug", { write }) });
}
beforeEach(() => open());
afterEach(() => fixture.close());

const asked = (id: string) => ({ "x-request-id": id });
const causes = (runId: string) =>
  fixture.events(runId).filter(({ data }) => "request_id" in data).map(({ type, data }) => [type, data.request_id]);

describe("a request's id", () => {
  test("is in the event that it causes, and in no other", async () => {
    const { body } = await call(fixture, "POST", "/api/runs", { dataset: "sample" }, asked("create-1"));
    fixture.trainer.started();
    fixture.trainer.progress(1, 5);
    expect(causes(body.id)).toEqual([["run.queued", "create-1"]]);

    const waiting = (await call(fixture, "POST", "/api/runs", { dataset: "sample" }, asked("create-2"))).body.id;
    for (const action of ["pause", "resume", "cancel"]) {
      await call(fixture, "POST", `/api/runs/${waiting}/${action}`, undefined, asked(`${action}-2`));
    }
    expect(causes(waiting)).toEqual([
      ["run.queued", "create-2"],
      ["run.paused", "pause-2"],
      ["run.resumed", "resume-2"],
      ["run.cancelled", "cancel-2"],
    ]);
  });

  test("waits for the trainer's answer", async () => {
    const id = await fixture.run();
    fixture.trainer.started();
    fixture.trainer.checkpointed(0);
    await call(fixture, "POST", `/api/runs/${id}/checkpoints`, undefined, asked("checkpoint-1"));
    fixture.trainer.progress(1, 5);
    fixture.trainer.checkpointed(5);
    fixture.trainer.checkpointed(6);
    await call(fixture, "POST", `/api/runs/${id}/pause`, undefined, asked("pause-1"));
    fixture.trainer.ended("paused", 6);
    expect(causes(id)).toEqual([["run.checkpointed", "checkpoint-1"], ["run.paused", "pause-1"]]);
  });

  test("is not that of a trainer which answers within the request", async () => {
    const id = await fixture.run();
    fixture.trainer.started();
    const next = await fixture.run();
    fixture.trainer.obedient = true;
    // The trainer lets go of the first run and is given the second, all before the request is answered.
    const post = fixture.trainer.post.bind(fixture.trainer);
    fixture.trainer.post = (command) => {
      post(command);
      if (command.type === "start") fixture.trainer.started(), fixture.trainer.progress(1, 3);
    };
    await call(fixture, "POST", `/api/runs/${id}/cancel`, undefined, asked("cancel-1"));
    await Promise.resolve();
    expect(fixture.events(next).map(({ type }) => type)).toEqual(["run.queued", "run.started", "run.progress"]);
    expect([causes(id), causes(next)]).toEqual([[["run.cancelled", "cancel-1"]], []]);
  });

  test("is forgotten with the answer, whatever the request left running", async () => {
    const left = Promise.withResolvers<void>();
    const done = left.promise;
    let later: Promise<void> | undefined;
    const events = fixture.reverie.events;
    const id = await fixture.run();
    events.onAppend(({ data }) => {
      if (data.request_id === "pause-2") later ??= done.then(() => events.append(id, "run.paused", {}));
    });
    const waiting = await fixture.run();
    await call(fixture, "POST", `/api/runs/${waiting}/pause`, undefined, asked("pause-2"));
    left.resolve();
    await later;
    expect(fixture.events(id).at(-1)).toMatchObject({ type: "run.paused", data: {} });
    expect(causes(id)).toEqual([]);
  });

  test("is in the log lines of its request", async () => {
    await call(fixture, "POST", "/api/runs", { dataset: "sample" }, asked("create-1"));
    fixture.trainer.started();
    const said = lines.map(({ msg, request_id }) => [msg, request_id]);
    expect(said).toEqual([["run.queued", "create-1"], ["request", "create-1"], ["run.started", undefined]]);
  });

  test("goes with a webhook's delivery", async () => {
    const { secret } = fixture.reverie.hooks.create({
      name: "h",
      scheme: "github",
      run: { dataset: "sample" },
      map: {},
    });
    const { body } = await call(fixture, "POST", "/hooks/h", "{}", {
      ...asked("delivery-1"),
      "x-hub-signature-256": `sha256=${createHmac("sha256", secret).update("{}").digest("hex")}`,
      "x-github-delivery": "1",
    });
    expect(causes(body.run_id)).toEqual([["run.queued", "delivery-1"]]);
  });
});

test("no token, session, secret or signature is in a log line, a problem or an event", async () => {
  await fixture.close();
  const [token, guess] = ["the-servers-own-token", "somebodys-wrong-guess"];
  await open([token]);
  const request = fixture.app.request.bind(fixture.app);
  fixture.app.request = (input, init) => request(input, init, { remoteAddress: "203.0.113.1" });
  const secrets = [token, guess];
  const told: string[] = [];
  const ask = async (...args: [string, string, unknown?, Record<string, string>?]) => {
    const answer = await call(fixture, ...args);
    told.push(answer.text);
    return answer;
  };

  await ask("POST", "/api/session", { token: guess });
  await ask("POST", "/api/session", { token: guess, also: token });
  const signedIn = await ask("POST", "/api/session", { token });
  const session = signedIn.headers.get("set-cookie")!.split(";")[0].split("=")[1];
  secrets.push(session);
  const cookie = `reverie_session=${session}`;
  await ask("GET", "/api/runs", undefined, { authorization: `Bearer ${guess}` });
  await ask("GET", "/api/runs", undefined, { authorization: `Basic ${guess}` });
  await ask("DELETE", "/api/runs/run_1", undefined, { cookie });
  await ask("GET", "/api/runs", undefined, { cookie: `reverie_session=1.${"s".repeat(43)}` });
  secrets.push("s".repeat(43));

  const own = { authorization: `Bearer ${token}` };
  for (const scheme of ["standard", "github"]) {
    const hook = { name: scheme, scheme, run: { dataset: "sample" } };
    const { secret } = (await call(fixture, "POST", "/api/hooks", hook, own)).body; // the one answer that shows it
    await ask("GET", "/api/hooks", undefined, own);
    const at = new Date();
    const signed = (id: string, key: string) => {
      const github = createHmac("sha256", key).update("{}").digest("hex");
      const standard = scheme === "standard" ? new Webhook(key).sign(id, at, "{}") : "v1,none";
      secrets.push(key, github, standard.slice("v1,".length));
      return {
        "webhook-id": id,
        "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
        "webhook-signature": standard,
        "x-hub-signature-256": `sha256=${github}`,
        "x-github-delivery": id,
      };
    };
    expect((await ask("POST", `/hooks/${scheme}`, "{}", signed("1", secret))).status).toBe(202);
    expect((await ask("POST", `/hooks/${scheme}`, "{}", signed("2", `whsec_${btoa("another key")}`))).status).toBe(401);
    expect((await ask("POST", `/hooks/${scheme}`, "[", signed("1", secret))).status).toBe(401);
  }
  // Something breaks: the error goes into the log whole, and nowhere else.
  fixture.reverie.hooks.list = () => {
    throw Object.assign(new Error("broken"), { token, headers: { authorization: own.authorization } });
  };
  const broken = await ask("GET", "/api/hooks", undefined, own);
  expect([broken.status, broken.text.includes("broken")]).toEqual([500, false]);
  expect(written).toContain("broken");

  const events = JSON.stringify(fixture.reverie.events.list({}, { after: null, limit: 1000, order: "asc" }));
  expect(events).toContain("run.queued");
  expect(lines.filter(({ msg }) => msg === "refused")).toHaveLength(8);
  for (const secret of secrets.filter((secret) => secret !== "none")) {
    expect(written).not.toContain(secret);
    expect(told.join("\n")).not.toContain(secret);
    expect(events).not.toContain(secret);
  }
});

test("refusals are warnings that name the address and nothing that was sent", async () => {
  await fixture.close();
  await open(["the-servers-own-token"]);
  const headers = { authorization: "Bearer a-wrong-guess" };
  for (let i = 0; i < 11; i++) {
    await fixture.app.request("/api/runs", { headers }, { remoteAddress: "203.0.113.1" });
  }
  const warnings = lines.filter(({ level }) => level === 40);
  expect(warnings).toHaveLength(11);
  expect(warnings[0]).toMatchObject({ msg: "refused", address: "203.0.113.1", request_id: expect.any(String) });
  expect(warnings[10]).toMatchObject({ msg: "too many failed attempts", seconds: expect.any(Number) });
  expect(written).not.toContain("guess");
});

describe("/metrics", () => {
  const scrape = async (headers = {}) => {
    const answer = await call(fixture, "GET", "/metrics", undefined, headers);
    return { ...answer, value: (series: string) => valueOf(answer.text, series) };
  };
  const valueOf = (text: string, series: string) => {
    const line = text.split("\n").find((line) => line.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length + 1));
  };

  test("says what the runs do", async () => {
    const first = await fixture.run({ batch_size: 4, context_length: 16, gradient_accumulation_steps: 2 });
    await fixture.run();
    fixture.trainer.started();
    fixture.trainer.progress(1, 10);
    fixture.trainer.checkpointed(10);
    const during = await scrape();
    expect(during.status).toBe(200);
    expect(during.headers.get("content-type")).toStartWith("text/plain; version=0.0.4");
    expect(during.value('reverie_runs{status="running"}')).toBe(1);
    expect(during.value('reverie_runs{status="queued"}')).toBe(1);
    expect(during.value('reverie_runs{status="failed"}')).toBe(0);
    expect(during.value("reverie_queue_length")).toBe(1);
    expect(during.value("reverie_steps_total")).toBe(10);
    expect(during.value("reverie_tokens_total")).toBe(10 * 4 * 16 * 2);
    expect(during.value(`reverie_run_loss{run_id="${first}"}`)).toBeCloseTo(3.9);
    expect(during.value(`reverie_run_tokens_per_second{run_id="${first}"}`)).toBe(1000);
    const planned = await call<{ bytes: { total: number } }>(fixture, "POST", "/api/plan", {
      dataset: "sample",
      batch_size: 4,
      context_length: 16,
      gradient_accumulation_steps: 2,
    });
    expect(during.value("reverie_gpu_memory_planned_bytes")).toBe(planned.body.bytes.total);
    expect(during.value("reverie_checkpoint_bytes_count")).toBe(1);
    expect(during.value("reverie_checkpoint_bytes_sum")).toBe("weights of step 10".length + 2);
    expect(during.value('reverie_webhook_deliveries{status="pending"}')).toBe(0);
    expect(during.value("process_resident_memory_bytes")).toBeGreaterThan(1e6);
    expect(during.value("reverie_event_loop_lag_seconds")).toBeGreaterThanOrEqual(0);

    fixture.trainer.ended("succeeded", 10);
    const after = await scrape();
    expect(after.value('reverie_runs{status="succeeded"}')).toBe(1);
    expect(after.text).not.toContain(first); // series end with their runs
  });

  test("takes a checkpoint's time from its report", async () => {
    const id = await fixture.run();
    fixture.reverie.events.append(id, "run.checkpointed", { bytes: 10, elapsed_ms: 1500 });
    expect((await scrape()).value("reverie_checkpoint_write_seconds_sum")).toBe(1.5);
  });

  test("counts streams while they are open", async () => {
    const streams = await Promise.all([1, 2].map(() => fixture.app.request("/api/events")));
    await fixture.run();
    const readers = streams.map((stream) => stream.body!.getReader());
    for (const reader of readers) await reader.read();
    expect((await scrape()).value("reverie_sse_clients")).toBe(2);
    await readers[0].cancel();
    expect((await scrape()).value("reverie_sse_clients")).toBe(1);
    await readers[1].cancel();
    expect((await scrape()).value("reverie_sse_clients")).toBe(0);

    // One that goes away with events in hand, which nobody will ask for.
    const hasty = (await fixture.app.request("/api/events")).body!.getReader();
    await hasty.read();
    expect((await scrape()).value("reverie_sse_clients")).toBe(1);
    await hasty.cancel();
    expect((await scrape()).value("reverie_sse_clients")).toBe(0);
  });

  test("has a series for each pattern of a route, never for a path", async () => {
    for (let i = 0; i < 5; i++) {
      await call(fixture, "GET", `/api/runs/run_${i}`);
      await call(fixture, "GET", `/guessed/${i}`);
    }
    await call(fixture, "PROPFIND", "/api/runs");
    const { text, value } = await scrape();
    const count = (labels: string) => value(`reverie_http_request_duration_seconds_count{${labels}}`);
    expect(count('method="GET",route="/api/runs/:id",status="404"')).toBe(5);
    expect(count('method="GET",route="none",status="404"')).toBe(5);
    expect(count('method="other",route="none",status="405"')).toBe(1);
    expect(text).not.toMatch(/run_0|guessed|PROPFIND/);
  });

  test("wants a token where there is one", async () => {
    await fixture.close();
    await open(["the-token"]);
    expect((await scrape()).status).toBe(401);
    expect((await scrape({ authorization: "Bearer the-token" })).status).toBe(200);
  });
});
