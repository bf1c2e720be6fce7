// @ts-check

/** @import { Checkpoint, Dataset, Device, Losses, Page, Plan, Problem, Run, SampledEvent, Series, Session } from "./types.d.ts" */

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
 * Both loss curves, every point of them.
 * @param {Run} run
 * @returns {Promise<Losses>}
 */
export async function getLosses({ id }) {
  /** @type {{ series: Record<string, Series> }} */
  const { series } = await request(`${runPath(id)}/metrics?name=train/loss&name=val/loss`);
  return { train: series["train/loss"], validation: series["val/loss"] };
}

/** @param {string} id @returns {Promise<Page<SampledEvent>>} newest first */
export const listSamples = (id) => request(`${runPath(id)}/events?type=run.sampled&order=desc&limit=20`);

/** @param {string} checkpointId @param {string} name */
export const fileUrl = (checkpointId, name) =>
  `/api/checkpoints/${encodeURIComponent(checkpointId)}/files/${encodeURIComponent(name)}`;
