import { afterEach, beforeEach, expect, test } from "bun:test";
import { Fixture } from "../runs/fixture.ts";
import { call } from "./http.ts";
import { addHook, github, push, standard } from "./signed.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await Fixture.open();
});
afterEach(() => fixture.close());

const runs = () => fixture.reverie.runs.list({}, { after: null, limit: 10 });

test("a hook shows its filter; GitHub's starts for pushes, a standard one for anything", async () => {
  expect(await addHook(fixture)).toMatchObject({ events: ["push"], branches: null });
  expect(await addHook(fixture, { name: "s", scheme: "standard" })).toMatchObject({ events: ["*"], branches: null });
  const filter = { events: ["push", "release.published"], branches: ["main", "release/*"] };
  const { id } = await addHook(fixture, { name: "f", ...filter });
  expect((await call(fixture, "GET", `/api/hooks/${id}`)).body).toMatchObject(filter);
  // One of before there were filters.
  fixture.reverie.db.$client.prepare("update hooks set events = null").run();
  expect((await call(fixture, "GET", `/api/hooks/${id}`)).body).toMatchObject({ events: ["push"] });
});

test.each([
  ["no events", { events: [] }, "events"],
  ["an event that is none", { events: ["push it"] }, "events.0"],
  ["a ping among its events", { events: ["push", "ping"] }, "events"],
  ["no branches", { branches: [] }, "branches"],
  ["a ref for a branch", { branches: ["refs/heads/main"] }, "branches.0"],
  ["a branch that git allows none of", { branches: ["main", "a b"] }, "branches.1"],
  ["a class of characters", { branches: ["v[0-9]"] }, "branches.0"],
  ["branches of a standard hook", { scheme: "standard", branches: ["main"] }, "branches"],
])("a hook with %s is refused", async (_, filter, path) => {
  const hook = { name: "h", scheme: "github", run: {}, ...filter };
  const { status, body } = await call(fixture, "POST", "/api/hooks", hook);
  expect([status, body.errors[0].path]).toEqual([400, path]);
});

test("what the filter leaves out is a 202 that says why, and starts nothing", async () => {
  const { secret } = await addHook(fixture, { branches: ["main"] });
  const ignored = [
    [await github(fixture, "{}", { secret, event: "star" }), "star"],
    [await github(fixture, push("refs/heads/fix"), { secret }), "fix"],
    [await github(fixture, push("refs/heads/main", { deleted: true }), { secret }), "deletes"],
  ] as const;
  for (const [{ status, body, headers }, why] of ignored) {
    expect([status, body]).toEqual([202, { ignored: expect.stringContaining(why) }] as never);
    expect(headers.get("location")).toBeNull();
  }
  expect(runs()).toEqual([]);
});

test("a delivery that was ignored may come again to a hook that takes it; one that was not stays its run", async () => {
  const first = await addHook(fixture, { branches: ["main"] });
  expect((await github(fixture, push("refs/heads/fix"), { secret: first.secret, id: "1" })).body.ignored).toBeString();
  const started = await github(fixture, push("refs/heads/main"), { secret: first.secret, id: "2" });
  await call(fixture, "DELETE", `/api/hooks/${first.id}`);
  const second = await addHook(fixture, { branches: ["fix"] });
  const again = await github(fixture, push("refs/heads/fix"), { secret: second.secret, id: "1" });
  expect(again.body.run_id).toBe(runs()[0].id);
  expect(again.headers.get("location")).toBe(`/api/runs/${runs()[0].id}`);
  expect((await github(fixture, push("refs/heads/main"), { secret: second.secret, id: "2" })).body).toEqual(
    started.body,
  );
  expect(runs()).toHaveLength(2);
});

test("who signs by hand and names no event pushes", async () => {
  const { secret } = await addHook(fixture, { branches: ["main"] });
  expect((await github(fixture, push("refs/heads/main"), { secret, event: null })).body.run_id).toBeString();
});

test("a standard hook goes by the payload's type", async () => {
  const { secret } = await addHook(fixture, { scheme: "standard", events: ["dataset.ready"] });
  expect((await standard(fixture, '{"type":"dataset.gone"}', { secret })).body.ignored).toBeString();
  expect((await standard(fixture, '{"type":"dataset.ready"}', { secret })).body.run_id).toBeString();
});
