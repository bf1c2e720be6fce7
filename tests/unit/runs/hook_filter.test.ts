import { describe, expect, test } from "bun:test";
import { DEFAULT_EVENTS, eventOf, globMatches, type HookFilter, whyIgnored } from "#src/runs/hook_filter.ts";

describe("a glob", () => {
  test.each([
    ["main", "main", true],
    ["main", "mainly", false],
    ["main", "remain", false],
    ["release/*", "release/1.0", true],
    ["release/*", "release/", true],
    ["release/*", "release/1/2", false],
    ["release/**", "release/1/2", true],
    ["*", "main", true],
    ["*", "a/b", false],
    ["**", "a/b", true],
    ["**", "", true],
    ["", "", true],
    ["a*b*c", "aXbYbc", true],
    ["a*b*c", "aXbYb", false],
    ["**/fix", "a/b/fix", true],
    ["v1.0", "v1x0", false],
    ["ä🎉*", "ä🎉é", true],
    ["***", "a/b", true],
  ])("%p of %p: %p", (glob, text, matches) => expect(globMatches(glob, text)).toBe(matches));

  test("takes no longer the more stars it has", () => {
    expect(globMatches("*a".repeat(127), "a".repeat(20_000) + "b")).toBe(false);
  });
});

const github = (more: Partial<HookFilter> = {}): HookFilter => ({
  scheme: "github",
  events: DEFAULT_EVENTS.github,
  branches: null,
  ...more,
});
const push = (ref: string, more = {}) => ({ ref, after: "1".repeat(40), ...more });

test("by default a push starts a run, of a tag too, and no other event does", () => {
  expect(whyIgnored(github(), "push", push("refs/heads/main"))).toBeNull();
  expect(whyIgnored(github(), "push", push("refs/tags/v1"))).toBeNull();
  expect(whyIgnored(github(), "push", {})).toBeNull();
  for (const event of ["star", "pull_request", "issues", "delete", "create", "", "Push", "push.x"]) {
    expect(whyIgnored(github(), event, { action: "created" })).toStartWith("the hook takes push, not ");
  }
});

test("a push that deletes starts nothing, whatever the hook takes", () => {
  for (const filter of [github(), github({ events: ["*"] }), github({ branches: ["**"] })]) {
    expect(whyIgnored(filter, "push", push("refs/heads/main", { deleted: true }))).toContain("deletes refs/heads/main");
    expect(whyIgnored(filter, "push", push("refs/tags/v1", { after: "0".repeat(40) }))).toContain("deletes");
    expect(whyIgnored(filter, "push", push("refs/heads/main", { after: "0".repeat(64) }))).toContain("deletes");
  }
  expect(whyIgnored(github({ events: ["delete"] }), "delete", { ref: "a", ref_type: "branch" })).toBeNull();
});

test("events are taken by name, by action, or by glob", () => {
  const closed = { action: "closed", pull_request: { base: { ref: "main" } } };
  expect(whyIgnored(github({ events: ["pull_request"] }), "pull_request", closed)).toBeNull();
  expect(whyIgnored(github({ events: ["pull_request.closed"] }), "pull_request", closed)).toBeNull();
  expect(whyIgnored(github({ events: ["pull_*"] }), "pull_request", closed)).toBeNull();
  expect(whyIgnored(github({ events: ["*"] }), "star", {})).toBeNull();
  expect(whyIgnored(github({ events: ["pull_request.opened", "push"] }), "pull_request", closed))
    .toBe("the hook takes pull_request.opened, push, not pull_request.closed");
});

test.each<[string, object, string | null]>([
  ["push", push("refs/heads/main"), null],
  ["push", push("refs/heads/release/1"), null],
  ["push", push("refs/heads/fix"), "the hook takes the branches main, release/*, not fix"],
  ["push", push("refs/tags/main"), "the hook takes branches, and refs/tags/main is none"],
  ["push", {}, "the hook takes branches, and this is none"],
  ["pull_request", { pull_request: { base: { ref: "main" }, head: { ref: "fix" } } }, null],
  ["pull_request", { pull_request: { base: { ref: "fix" } } }, "the hook takes the branches main, release/*, not fix"],
  ["workflow_run", { workflow_run: { head_branch: "main" } }, null],
  [
    "check_run",
    { check_run: { check_suite: { head_branch: "x" } } },
    "the hook takes the branches main, release/*, not x",
  ],
  ["create", { ref: "main", ref_type: "branch" }, null],
  ["create", { ref: "main", ref_type: "tag" }, "the hook takes branches, and main is none"],
  ["release", { release: { target_commitish: "fix" } }, null],
])("with branches, %s %j: %p", (event, payload, why) => {
  expect(whyIgnored(github({ events: ["*"], branches: ["main", "release/*"] }), event, payload)).toBe(why);
});

test("a standard delivery goes by its type", () => {
  const filter: HookFilter = { scheme: "standard", events: ["dataset.*", "go"], branches: null };
  const why = (payload: unknown) => whyIgnored(filter, eventOf("standard", new Headers(), payload), payload);
  expect(why({ type: "dataset.ready" })).toBeNull();
  expect(why({ type: "go" })).toBeNull();
  expect(why({ type: "model.ready" })).toBe("the hook takes dataset.*, go, not model.ready");
  for (const payload of [{}, { type: 1 }, [], null, "go"]) expect(why(payload)).toContain("has no type");
  expect(whyIgnored({ ...filter, events: DEFAULT_EVENTS.standard }, null, {})).toBeNull();
});

test("GitHub's event is its header's; without one it is a push", () => {
  expect(eventOf("github", new Headers({ "X-GitHub-Event": "star" }), { type: "x" })).toBe("star");
  expect(eventOf("github", new Headers(), {})).toBe("push");
});
