import { readPath } from "./json_path.ts";
import type { HookScheme } from "./hook_signature.ts";

/** Which deliveries start a run. */
export interface HookFilter {
  scheme: HookScheme;
  /** Globs of event names. */
  events: string[];
  /** Globs of branches; null for whatever was pushed, tags too. */
  branches: string[] | null;
}

/** A push, as GitHub's own form has it; a standard sender has no event that means the same everywhere. */
export const DEFAULT_EVENTS: Record<HookScheme, string[]> = { standard: ["*"], github: ["push"] };

/**
 * Gives the event that a delivery is about: GitHub says it in X-GitHub-Event, Standard Webhooks in the payload's `type`. Who signs like
 * GitHub by hand and names no event pushes.
 */
export function eventOf(scheme: HookScheme, headers: Headers, payload: unknown): string | null {
  if (scheme === "github") return headers.get("x-github-event") ?? "push";
  const type = readPath(payload, "$.type");
  return typeof type === "string" ? type : null;
}

/** Why a delivery starts no run; null if it does. */
export function whyIgnored({ scheme, events, branches }: HookFilter, event: string | null, payload: unknown) {
  if (!events.includes("*")) {
    if (event === null) return "the delivery has no type, and the hook takes those of some types only";
    const action = readPath(payload, "$.action");
    const names = scheme === "github" && typeof action === "string" ? [event, `${event}.${action}`] : [event];
    if (!events.some((glob) => names.some((name) => globMatches(glob, name)))) {
      return `the hook takes ${events.join(", ")}, not ${brief(names[names.length - 1])}`;
    }
  }
  return scheme === "github" ? whyRefIgnored(branches, event, payload) : null;
}

function whyRefIgnored(branches: string[] | null, event: string | null, payload: unknown): string | null {
  const ref = readPath(payload, "$.ref");
  if (event === "push" && (readPath(payload, "$.deleted") === true || isNull(readPath(payload, "$.after")))) {
    return `the push deletes ${typeof ref === "string" ? brief(ref) : "its branch"}`;
  }
  if (branches === null) return null;
  const branch = branchOf(event, payload);
  if (branch === undefined) return null;
  if (branch === null) return `the hook takes branches, and ${typeof ref === "string" ? brief(ref) : "this"} is none`;
  if (branches.some((glob) => globMatches(glob, branch))) return null;
  return `the hook takes the branches ${branches.join(", ")}, not ${brief(branch)}`;
}

/** Git's hash of nothing: what a deleted branch points at. */
function isNull(hash: unknown): boolean {
  return typeof hash === "string" && /^0{40,64}$/.test(hash);
}

/** The path at which each of GitHub's events names its branch. */
const BRANCH_PATHS: Record<string, string> = {
  pull_request: "$.pull_request.base.ref",
  pull_request_review: "$.pull_request.base.ref",
  pull_request_target: "$.pull_request.base.ref",
  workflow_run: "$.workflow_run.head_branch",
  workflow_job: "$.workflow_job.head_branch",
  check_suite: "$.check_suite.head_branch",
  check_run: "$.check_run.check_suite.head_branch",
};

/** Null if the event is about something else than a branch, undefined if its kind knows no branches. */
function branchOf(event: string | null, payload: unknown): string | null | undefined {
  if (event === "push") {
    const ref = readPath(payload, "$.ref");
    return typeof ref === "string" && ref.startsWith("refs/heads/") ? ref.slice("refs/heads/".length) : null;
  }
  if (event === "create" || event === "delete") {
    const ref = readPath(payload, "$.ref");
    return readPath(payload, "$.ref_type") === "branch" && typeof ref === "string" ? ref : null;
  }
  const path = BRANCH_PATHS[event ?? ""];
  if (path === undefined) return undefined;
  const branch = readPath(payload, path);
  return typeof branch === "string" ? branch : null;
}

/**
 * Whether a glob of literal text, `*` (anything without a slash) and `**` (anything) is all of `text`. It follows every
 * way to match at once, so that no pattern takes more than its length times the text's: a regular expression may.
 */
export function globMatches(glob: string, text: string): boolean {
  const parts = glob.match(/\*\*|\*|[^*]/gsu) ?? [];
  const withSkips = (reached: Set<number>) => {
    for (const at of reached) if (parts[at]?.startsWith("*")) reached.add(at + 1); // a star may stand for nothing
    return reached;
  };
  let reached = withSkips(new Set([0]));
  for (const character of text) {
    const next = new Set<number>();
    for (const at of reached) {
      const part = parts[at];
      if (part === "**" || (part === "*" && character !== "/")) next.add(at);
      else if (part === character) next.add(at + 1);
    }
    if (next.size === 0) return false;
    reached = withSkips(next);
  }
  return reached.has(parts.length);
}

/** A sender's words, for an answer that is read by people. */
function brief(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
