import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Fixture } from "../runs/fixture.ts";
import { call } from "./http.ts";

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
  data: { type: string; run_id: string; sequence: number; timestamp: string; data: Record<string, unknown> };
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

  test("of a run that is deleted ends", async () => {
    fixture.reverie.runner.act("pause", id);
    fixture.trainer.ended("paused", 10);
    const reader = (await open(`/api/runs/${id}/events`)).body!.getReader();
    await readUntil(reader, (all) => all.length === 4);
    const end = reader.read();
    await fixture.reverie.runner.remove(id);
    expect((await end).done).toBe(true);
  });

  test("nobody reads costs nothing and holds up nobody", async () => {
    const idle = await open(`/api/runs/${id}/events`);
    for (let step = 11; step <= 30; step++) fixture.trainer.progress(step, step);
    fixture.trainer.ended("succeeded", 30);
    expect(messages(await (await open(`/api/runs/${id}/events`)).text())).toHaveLength(24);
    expect(messages(await idle.text())).toHaveLength(24);
  });
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
