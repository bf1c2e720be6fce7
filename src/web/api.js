// @ts-check

/** @import { BucketSeries, Checkpoint, Dataset, Device, Losses, Page, Plan, Problem, Run, SampledEvent, Series, Session } from "./types.d.ts" */

/** An answer of 4xx or 5xx, with the service's own account of it. */
export class ApiError extends Error {
  /** @param {Problem} problem */
  constructor(problem) {
    super(problem.detail ?? problem.title);
    this.name = "ApiError";
    this.status = problem.status;
    this.errors = problem.errors ?? [];
  }
}

/** Whatever part of the page was told 401, the document hears of it: one form signs all of them in. */
export const SIGNED_OUT = "reverie:signed-out";

/**
 * @template T
 * @param {string} path
 * @param {RequestInit} [init]
 * @returns {Promise<T>} undefined for an answer without a body
 * @throws {ApiError} on an answer that is not 2xx; `TypeError` when there is none
 */
async function request(path, init = {}) {
  const response = await fetch(path, { ...init, headers: { accept: "application/json", ...init.headers } });
  if (response.status === 204) return /** @type {T} */ (undefined);
  if (response.ok) return await response.json();
  if (response.status === 401) document.dispatchEvent(new Event(SIGNED_OUT));
  const problem = response.headers.get("content-type")?.includes("json") ? await response.json() : {};
  throw new ApiError({ title: response.statusText || `HTTP ${response.status}`, ...problem, status: response.status });
}

/**
 * @template T
 * @param {string} path
 * @param {unknown} [body]
 * @param {Record<string, string>} [headers]
 * @returns {Promise<T>}
 */
const post = (path, body = {}, headers = {}) =>
  request(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });

/** @returns {Promise<Session>} */
export const getSession = () => request("/api/session");

/** @param {string} token @returns {Promise<void>} */
export const signIn = (token) => post("/api/session", { token });

/** @returns {Promise<void>} */
export const signOut = () => request("/api/session", { method: "DELETE" });

/** @param {string} id */
const runPath = (id) => `/api/runs/${encodeURIComponent(id)}`;

/** @returns {Promise<Device>} */
export const getDevice = () => request("/api/device");

/** @returns {Promise<Page<Dataset>>} */
export const listDatasets = () => request("/api/datasets?limit=100");

/** @param {string | null} after cursor @returns {Promise<Page<Run>>} newest first */
export const listRuns = (after) => request(`/api/runs?limit=30${after ? `&after=${encodeURIComponent(after)}` : ""}`);

/** @param {string} id @returns {Promise<Run>} */
export const getRun = (id) => request(runPath(id));

/** @param {unknown} body @param {string} idempotencyKey @returns {Promise<Run>} */
export const createRun = (body, idempotencyKey) => post("/api/runs", body, { "idempotency-key": idempotencyKey });

/** @param {unknown} body @returns {Promise<Plan>} */
export const planRun = (body) => post("/api/plan", body);

/** @param {string} id @param {"pause" | "resume" | "cancel"} action @returns {Promise<Run>} */
export const actOnRun = (id, action) => post(`${runPath(id)}/${action}`);

/** @param {string} id @returns {Promise<Page<Checkpoint>>} */
export const listCheckpoints = (id) => request(`${runPath(id)}/checkpoints?limit=100`);

/**
 * Both loss curves: the training loss in buckets of `width` steps as far as these are full, then each point; and every
 * validation loss, up to 2,000 of them.
 * @param {Run} run
 * @param {number} width
 * @returns {Promise<Losses>}
 */
export async function getLosses({ id, step }, width) {
  const full = Math.floor(step / width);
  const metrics = `${runPath(id)}/metrics`;
  /** @returns {Promise<Series | undefined>} the points after this step */
  const pointsAfter = async (/** @type {number} */ after) =>
    (await request(`${metrics}?name=train/loss&from_step=${after + 1}`)).series["train/loss"];
  // The service divides the points that there are: up to the end of a full bucket that makes buckets of this width.
  const range = `from_step=1&to_step=${full * width}&buckets=${full}`;
  const [buckets, tail, validation] = await Promise.all([
    full === 0 ? undefined : request(`${metrics}?name=train/loss&${range}`),
    pointsAfter(full * width),
    request(`${metrics}?name=val/loss&max_points=2000`),
  ]);
  /** @type {BucketSeries | undefined} */
  const train = buckets?.series["train/loss"];
  const isWhole = train === undefined || (train.from_step === 1 && train.bucket_steps === width);
  return {
    train: isWhole ? train : undefined,
    // A run that went back to a checkpoint meanwhile has fewer steps than its row said.
    tail: isWhole ? tail : await pointsAfter(0),
    validation: validation.series["val/loss"],
  };
}

/** @param {string} id @returns {Promise<Page<SampledEvent>>} newest first */
export const listSamples = (id) => request(`${runPath(id)}/events?type=run.sampled&order=desc&limit=20`);

/** @param {string} checkpointId @param {string} name */
export const fileUrl = (checkpointId, name) =>
  `/api/checkpoints/${encodeURIComponent(checkpointId)}/files/${encodeURIComponent(name)}`;
