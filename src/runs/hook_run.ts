import { UnprocessableError } from "../errors.ts";
import { whyNotStorable } from "./json_text.ts";
import { type Refusal, RunRequest } from "../train/config.ts";
import type { Dataset } from "./datasets.ts";
import { readPath, withValueAt } from "./json_path.ts";

interface HookRun {
  name: string;
  run: Record<string, unknown>;
  map: Record<string, string>;
}

/** Throws why a run is impossible; `dataset` takes the place of the request's own if that is not known yet. */
export type RunCheck = (request: RunRequest, dataset?: Dataset) => void;

/**
 * The hook's run with the delivery's values filled in; a path that the delivery does not have leaves the field alone.
 * @throws {UnprocessableError} with the mapping, or the field, that is at fault
 */
export function runRequestOf({ name, run, map }: HookRun, payload: unknown): RunRequest {
  let body = run;
  for (const [target, path] of Object.entries(map)) {
    const value = readPath(payload, path);
    if (value === undefined) continue;
    const fault = whyNotStorable(value);
    if (fault !== null) refuse(name, [{ path: target, message: `${path} of the delivery ${fault}` }]);
    body = withValueAt(body, target, value);
  }
  const parsed = RunRequest.safeParse(body);
  return parsed.success ? parsed.data : refuse(name, refusalsOf(parsed.error));
}

/** A text that no run is too long for, and whose vocabulary is small: what fails with it fails with any. */
const ANY_DATASET: Dataset = {
  id: "",
  name: "",
  names: [],
  sha256: "",
  bytes: 2 ** 40,
  characters: 2 ** 40,
  distinct_characters: 2,
  documents: 1,
  created_at: "",
};

/**
 * Checks the hook's run before a delivery is there: a fault of a field that deliveries fill in is not held against it.
 * @throws {UnprocessableError}, {NoDeviceError}
 */
export function checkHookRun({ name, run, map }: HookRun, check: RunCheck): void {
  const isFilledIn = (path: string) =>
    Object.keys(map).some((target) => `${path}.`.startsWith(`${target}.`) || target.startsWith(`${path}.`));
  const isUnknown = isFilledIn("dataset") && run.dataset === undefined;
  const parsed = RunRequest.safeParse(isUnknown ? { ...run, dataset: "filled in" } : run);
  if (!parsed.success) {
    const faults = refusalsOf(parsed.error).filter(({ path }) => !isFilledIn(path));
    if (faults.length > 0) refuse(name, faults);
    return;
  }
  try {
    check(parsed.data, isUnknown ? ANY_DATASET : undefined);
  } catch (error) {
    const faults = error instanceof UnprocessableError ? error.extra.errors ?? [] : [];
    if (faults.length === 0 || !faults.every(({ path }) => isFilledIn(path))) throw error;
  }
}

function refusalsOf(error: { issues: { path: PropertyKey[]; message: string }[] }): Refusal[] {
  return error.issues.map(({ path, message }) => ({ path: path.join("."), message }));
}

function refuse(hook: string, refusals: Refusal[]): never {
  throw new UnprocessableError(`hook "${hook}" makes no valid run of this; see errors`, refusals);
}
