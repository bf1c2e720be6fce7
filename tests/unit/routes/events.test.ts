import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Fixture } from "../runs/fixture.ts";
import { call, upload } from "./http.ts";

let fixture: Fixture;
let id: string;
beforeEach(async () => {
  fixture = await Fixture.open();
  id = await fixture.run({ max_steps: 30 });
  fixture.trainer.started();
  fixture.trainer.progress(1, 10);
});
afterEach(() => fixture.close());

interface Message {
  id: number;
  event: string;
  data: { type: string; run_id: string | null; sequence: number; timestamp: string; data: Record<string, unknown> };
}

/** Parses what an SSE client would dispatch. */
function messages(text: string): Message[] {
  return text.split("\n\n").filter((block) => block.startsWith("id: ")).map((block) => {
    const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/s).slice(0, 2)));
    return { id: Number(fields.id), event: fields.event, data: JSON.parse(fields.data) };
  });
}

async function readUntil(reader: ReadableStreamDefaultReader<Uint8Array>, done: (all: Message[]) => boolean) {
  let text = "";
  while (!done(messages(text))) {
    const { value } = await reader.read();
    if (value === undefined) throw new Error("the stream ended early");
    text += new TextDecoder().decode(value);
  }
  return messages(text);
}

const open = (path: string, headers: Record<string, string> = {}) => fixture.app.request(path, { headers });

describe("a stream", () => {
  test("replays, goes on live, and ends with the run", async () => {
    const response = await open(`/api/runs/${id}/events`);
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const reader = response.body!.getReader();
    const replayed = await readUntil(reader, (all) => all.length === 3);
    const rest = readUntil(reader, (all) => all.at(-1)?.event === "run.succeeded");
    fixture.trainer.progress(11, 30);
    fixture.trainer.ended("succeeded", 30);
    const all = [...replayed, ...await rest];
    expect(all.map(({ event }) => event)).toEqual([
      "run.queued",
      "run.started",
      "run.progress",
      "run.progress",
      "run.succeeded",
    ]);
    expect((await reader.read()).done).toBe(true);
    expect(all[2]).toMatchObject({
      id: all[2].data.sequence,
      data: {
        type: "run.progress",
        run_id: id,
        data: { step: 10, max_steps: 30, tokens_per_second: 1000, eta_seconds: 12.5 },
      },
    });
    expect(all[2].data.data.points).toHaveLength(10);
  });

  test("cut anywhere and taken up again misses and repeats nothing", async () => {
    fixture.trainer.progress(11, 30);
    fixture.trainer.ended("succeeded", 30);
    const whole = messages(await (await open(`/api/runs/${id}/events`)).text());
    expect(whole).toHaveLength(5);
    for (const cut of whole) {
      const later = whole.filter((message) => message.id > cut.id);
      const byHeader = await open(`/api/runs/${id}/events?after=0`, { "last-event-id": String(cut.id) });
      expect(messages(await byHeader.text())).toEqual(later);
      expect(messages(await (await open(`/api/runs/${id}/events?after=${cut.id}`)).text())).toEqual(later);
    }
  });

  test("of all runs carries each of them", async () => {
    const other = await fixture.run();
    const reader = (await open("/api/events")).body!.getReader();
    const all = await readUntil(reader, (all) => all.length === 4);
    expect(new Set(all.map(({ data }) => data.run_id))).toEqual(new Set([id, other]));
    await reader.cancel();
  });

  test("of a run that is deleted says so, and ends", async () => {
    fixture.reverie.runner.act("pause", id);
    fixture.trainer.ended("paused", 10);
    const reader = (await open(`/api/runs/${id}/events`)).body!.getReader();
    await readUntil(reader, (all) => all.length === 4);
    const last = readUntil(reader, (all) => all.length === 1);
    await fixture.reverie.runner.remove(id);
    expect((await last)[0].event).toBe("run.deleted");
    expect((await reader.read()).done).toBe(true);
  });

  test("nobody reads costs nothing and holds up nobody", async () => {
    const idle = await open(`/api/runs/${id}/events`);
    for (let step = 11; step <= 30; step++) fixture.trainer.progress(step, step);
    fixture.trainer.ended("succeeded", 30);
    expect(messages(await (await open(`/api/runs/${id}/events`)).text())).toHaveLength(24);
    expect(messages(await idle.text())).toHaveLength(24);
  });
});

describe("a reconnection", () => {
  const follow = (query: string, headers: Record<string, string> = {}) =>
    open(`/api/runs/${id}/events${query}`, headers);
  const last = () => fixture.events(id).at(-1)!.sequence;

  test("to a finished run gets what it has not seen, and 204 once it has seen all", async () => {
    expect((await follow(`?after=${last()}`)).status).toBe(200); // the run trains: there will be more
    fixture.trainer.ended("succeeded", 10);
    expect(messages(await (await follow(`?after=${last() - 1}`)).text())).toHaveLength(1);
    await fixture.run(); // the log goes on
    for (
      const response of [
        await follow(`?after=${last()}`),
        await follow(`?after=${last() + 1}`), // the other run's
        await follow("", { "last-event-id": String(last()) }),
        await follow(`?after=0`, { "last-event-id": String(last()) }),
        await follow(`?type=run.started&after=${fixture.events(id)[1].sequence}`),
        await follow("?type=run.evaluated&type=run.sampled"),
      ]
    ) {
      expect(response.status).toBe(204);
      expect(await response.text()).toBe("");
    }
    expect(fixture.reverie.events.followers).toBe(0);
  });

  test("with an id that the log has not reached gets a reset, and everything", async () => {
    const ahead = { "last-event-id": String(fixture.reverie.events.lastSequence() + 1) };
    const reader = (await open("/api/events", ahead)).body!.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe(": reset\n\n");
    expect(await readUntil(reader, (all) => all.length === 3)).toHaveLength(3);
    await reader.cancel();
    fixture.trainer.ended("succeeded", 10);
    const whole = await (await follow("")).text();
    const more = { "last-event-id": String(fixture.reverie.events.lastSequence() + 1) };
    expect(await (await follow("", more)).text()).toBe(`: reset\n\n${whole}`);
    expect(await (await follow(`?after=${more["last-event-id"]}`)).text()).toBe(`: reset\n\n${whole}`);
  });

  test("with the id of an event that is gone gets no reset: the log has given it", async () => {
    fixture.trainer.ended("succeeded", 10);
    const seen = fixture.reverie.events.lastSequence();
    fixture.reverie.db.$client.exec("delete from events");
    await fixture.boot();
    const other = await fixture.run();
    const reader = (await open("/api/events", { "last-event-id": String(seen) })).body!.getReader();
    const text = new TextDecoder().decode((await reader.read()).value);
    expect(text).not.toContain("reset");
    expect(messages(text)[0]).toMatchObject({ id: seen + 1, data: { run_id: other } });
    await reader.cancel();
  });
});

describe("Accept and format decide between a stream and a list:", () => {
  const SSE = "text/event-stream";
  const JSON_TYPE = "application/json";
  test.each([
    ["no Accept", "", undefined, SSE],
    ["anything", "", "*/*", SSE],
    ["a browser's address bar", "", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", SSE],
    ["a stream", "", SSE, SSE],
    ["JSON", "", JSON_TYPE, JSON_TYPE],
    ["what axios sends", "", "application/json, text/plain, */*", JSON_TYPE],
    ["JSON rather than a stream", "", "text/event-stream;q=0.5, application/json;q=0.9", JSON_TYPE],
    ["a stream rather than JSON", "", "application/json;q=0.5, text/event-stream;q=0.9", SSE],
    ["JSON not at all", "", "application/json;q=0, */*", SSE],
    ["a stream, and format=json", "?format=json", SSE, JSON_TYPE],
    ["JSON, and format=sse", "?format=sse", JSON_TYPE, SSE],
  ])("%s", async (_, query, accept, type) => {
    fixture.trainer.ended("succeeded", 10);
    const headers: Record<string, string> = accept === undefined ? {} : { accept };
    const response = await open(`/api/runs/${id}/events${query}`, headers);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toStartWith(type);
    const text = await response.text();
    expect(type === SSE ? messages(text) : JSON.parse(text).data).toHaveLength(4);
  });

  test.each(["order=desc", "limit=5", "order=desc&limit=5&format=sse"])("a stream has no %s", async (query) => {
    for (const path of ["/api/events", `/api/runs/${id}/events`]) {
      const { status, body } = await call(fixture, "GET", `${path}?${query}`, undefined, { accept: SSE });
      expect(status).toBe(400);
      expect(body.detail).toContain("format=json");
      expect(body.errors.map(({ path }) => path)).toEqual(["limit", "order"].filter((name) => query.includes(name)));
    }
    const list = await call(fixture, "GET", `/api/events?${query.replace("&format=sse", "")}&format=json`);
    expect(list.status).toBe(200);
  });
});

test("a page of a list holds no more than an answer may, and the next goes on", async () => {
  for (let n = 0; n < 12; n++) {
    fixture.reverie.events.append(id, "run.sampled", { step: n, prompt: "", text: "x".repeat(300_000) });
  }
  interface Page {
    data: { data: { step: number } }[];
    has_more: boolean;
    next_cursor: string | null;
  }
  const path = `/api/runs/${id}/events?format=json&limit=100&type=run.sampled&type=run.evaluated`;
  const seen: number[] = [];
  for (let after: string | null = "0"; after !== null;) {
    const page: { text: string; body: Page } = await call<Page>(fixture, "GET", `${path}&after=${after}`);
    expect(page.text.length).toBeLessThan(1_500_000);
    expect(page.body.data.length).toBeGreaterThan(0);
    expect(page.body.has_more).toBe(page.body.next_cursor !== null);
    seen.push(...page.body.data.map(({ data }) => data.step));
    after = page.body.next_cursor;
  }
  expect(seen).toEqual(Array.from({ length: 12 }, (_, n) => n));
});

describe("what changes outside a run's life is told:", () => {
  const told = async () => {
    const page = await call<{ data: Message["data"][] }>(fixture, "GET", "/api/events?format=json&order=desc&limit=1");
    const [{ type, run_id, data: { request_id, ...data } }] = page.body.data;
    expect(request_id).toEqual(expect.any(String));
    return { type, run_id, data };
  };

  test("a run's new name, and its deletion, which outlives it", async () => {
    await call(fixture, "PATCH", `/api/runs/${id}`, { name: "new" });
    expect(await told()).toEqual({ type: "run.updated", run_id: id, data: { name: "new", changed: { name: "new" } } });
    fixture.trainer.ended("succeeded", 10);
    await call(fixture, "DELETE", `/api/runs/${id}`);
    const deleted = { type: "run.deleted", run_id: id, data: { name: "new" } };
    expect(await told()).toEqual(deleted as unknown as Awaited<ReturnType<typeof told>>);
    await fixture.reverie.removals.settle();
    expect(fixture.events(id).map(({ type }) => type)).toEqual(["run.deleted"]);
    await fixture.boot();
    expect(await told()).toMatchObject(deleted);
  });

  test("a dataset, once, and its deletion", async () => {
    const { body } = await upload(fixture, "mine", "abc");
    const { id: datasetId } = body;
    const facts = { id: datasetId, name: "mine", bytes: 3, characters: 3, documents: 1 };
    expect(await told()).toEqual({ type: "dataset.created", run_id: null, data: facts } as never);
    const { sequence } = fixture.reverie.events.list({}, { after: null, limit: 1, order: "desc" })[0];
    await upload(fixture, "second", "abc");
    expect(fixture.reverie.events.lastSequence()).toBe(sequence);
    await call(fixture, "DELETE", "/api/datasets/second");
    const gone = { id: datasetId, name: "mine", names: ["mine", "second"] };
    expect(await told()).toEqual({ type: "dataset.deleted", run_id: null, data: gone } as never);
  });

  test("in the stream of all runs as it happens, and to no follower of a run but of that one", async () => {
    const ofAll = (await open(`/api/events?after=${fixture.reverie.events.lastSequence()}`)).body!.getReader();
    const ofRun = (await open(`/api/runs/${id}/events?after=${fixture.events(id).at(-1)!.sequence}`)).body!.getReader();
    const runEvents = readUntil(ofRun, (all) => all.at(-1)?.event === "run.deleted");
    await upload(fixture, "mine", "abc");
    await call(fixture, "DELETE", "/api/datasets/mine");
    await call(fixture, "PATCH", `/api/runs/${id}`, { priority: 1 });
    await call(fixture, "POST", `/api/runs/${id}/pause`);
    fixture.trainer.ended("paused", 10);
    await call(fixture, "DELETE", `/api/runs/${id}`);
    const ofOne = ["run.updated", "run.paused", "run.deleted"];
    expect((await runEvents).map(({ event }) => event)).toEqual(ofOne);
    expect((await ofRun.read()).done).toBe(true); // and then nothing more will come
    expect((await open(`/api/runs/${id}/events`)).status).toBe(404);
    const all = await readUntil(ofAll, (all) => all.at(-1)?.event === "run.deleted");
    expect(all.map(({ event }) => event)).toEqual(["dataset.created", "dataset.deleted", ...ofOne]);
    await ofAll.cancel();
  });

  test("what a refused request would have changed is not", async () => {
    const before = fixture.reverie.events.lastSequence();
    await upload(fixture, "sample", "abc");
    await call(fixture, "DELETE", "/api/datasets/sample");
    await call(fixture, "DELETE", `/api/runs/${id}`);
    await call(fixture, "PATCH", `/api/runs/${id}`, { name: "" });
    expect(fixture.reverie.events.lastSequence()).toBe(before);
  });
});

test("several types are one list, in order", async () => {
  fixture.trainer.evaluated(10, 2);
  fixture.trainer.progress(11, 20);
  const types = async (query: string) =>
    (await call(fixture, "GET", `/api/events?format=json&${query}`)).body.data.map(({ type }) => type);
  const both = "type=run.evaluated&type=run.progress";
  expect(await types(both)).toEqual(["run.progress", "run.evaluated", "run.progress"]);
  expect(await types(`${both}&limit=2`)).toEqual(["run.progress", "run.evaluated"]);
  expect(await types(`${both}&type=run.progress&order=desc&limit=2`)).toEqual(["run.progress", "run.evaluated"]);
});

test("a list is paged by sequence, either way, by type", async () => {
  const list = (query: string) =>
    call(fixture, "GET", `/api/runs/${id}/events?${query}`, undefined, { accept: "application/json" });
  const first = (await list("limit=2")).body;
  expect(first.data.map(({ type }) => type)).toEqual(["run.queued", "run.started"]);
  const second = (await list(`limit=2&after=${first.next_cursor}`)).body;
  expect(second.data.map(({ type }) => type)).toEqual(["run.progress"]);
  expect(second.next_cursor).toBeNull();
  expect((await list("order=desc&limit=1")).body.data[0].type).toBe("run.progress");
  expect((await list("type=run.started")).body.data).toHaveLength(1);
});
