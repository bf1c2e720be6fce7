// @ts-check
import * as api from "./api.js";
import { reduceHistory, reduceRun, storedHistory } from "./run_state.js";

/** @import { Checkpoint, Run, RunEvent } from "./types.d.ts" */
/** @import { RunHistory } from "./run_state.js" */

/**
 * The run that the URL names.
 * @typedef {object} Selection
 * @property {string} id
 * @property {RunHistory | null} history null until it is here
 * @property {Checkpoint[]} checkpoints newest first
 * @property {boolean} missing the service knows no such run
 */

/** Events after which the row has news that no event carries: times, the error, parameters. */
const LIFECYCLE = /^run\.(queued|started|paused|resumed|interrupted|succeeded|failed|cancelled)$/;

/**
 * What the page knows. Reads and events overlap: an answer may be older than an event that overtook it. So the events that
 * come while a read is under way are kept and folded into its answer, which is at least as new as the read's beginning.
 */
export class Store {
  /** @type {Map<string, Run>} */
  #runs = new Map();
  /** Where the list goes on. @type {string | null} */
  #olderRuns = null;
  /** @type {Selection | null} */
  selection = null;
  /** For each read under way, the events since it began. @type {Set<RunEvent[]>} */
  #reads = new Set();
  #onChange;

  /** @param {() => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  /** Newest first: ids sort by creation. */
  get runs() {
    return [...this.#runs.values()].sort((a, b) => a.id < b.id ? 1 : -1);
  }

  get hasOlderRuns() {
    return this.#olderRuns !== null;
  }

  /** @returns {Run | null} */
  get selectedRun() {
    return this.selection === null ? null : this.#runs.get(this.selection.id) ?? null;
  }

  /** The first page of the list, as it is now. */
  async loadRuns() {
    const page = await this.#readRuns(null);
    this.#olderRuns = page.next_cursor;
    this.#onChange();
  }

  async loadOlderRuns() {
    const page = await this.#readRuns(this.#olderRuns);
    this.#olderRuns = page.next_cursor;
    this.#onChange();
  }

  /** @param {string | null} after */
  async #readRuns(after) {
    const { answer, since } = await this.#read(() => api.listRuns(after));
    for (const run of answer.data) this.#putRun(run, since);
    return answer;
  }

  /** @param {string} id */
  async refreshRun(id) {
    try {
      const { answer, since } = await this.#read(() => api.getRun(id));
      this.#putRun(answer, since);
    } catch (error) {
      if (!(error instanceof api.ApiError) || error.status !== 404) throw error;
      this.#runs.delete(id);
      if (this.selection?.id === id) this.selection.missing = true;
    }
    this.#onChange();
  }

  /** Shows this run, or none. @param {string | null} id */
  async select(id) {
    /** @type {Selection | null} */
    const selection = id === null ? null : { id, history: null, checkpoints: [], missing: false };
    this.selection = selection;
    this.#onChange();
    if (selection === null) return;
    await this.refreshRun(selection.id);
    const run = this.#runs.get(selection.id);
    if (run === undefined) return;
    const { answer: [metrics, samples, checkpoints], since } = await this.#read(() =>
      Promise.all([api.getLosses(run.id), api.listSamples(run.id), api.listCheckpoints(run.id)])
    );
    const events = since.filter((event) => event.run_id === run.id);
    selection.history = events.reduce(reduceHistory, storedHistory(run, metrics, samples.data));
    selection.checkpoints = checkpoints.data;
    this.#onChange();
  }

  /** @param {"pause" | "resume" | "cancel"} action @throws {ApiError} when it is refused */
  async act(action) {
    if (this.selection === null) return;
    await api.actOnRun(this.selection.id, action);
    await this.refreshRun(this.selection.id);
  }

  /** @param {RunEvent} event */
  async receive(event) {
    for (const since of this.#reads) since.push(event);
    const run = this.#runs.get(event.run_id);
    if (run !== undefined) this.#runs.set(run.id, reduceRun(run, event));
    const selection = this.selection;
    if (selection?.id === event.run_id && selection.history !== null) {
      selection.history = reduceHistory(selection.history, event);
    }
    this.#onChange();
    if (LIFECYCLE.test(event.type)) await this.refreshRun(event.run_id);
    if (event.type === "run.checkpointed" && selection?.id === event.run_id) {
      selection.checkpoints = (await api.listCheckpoints(selection.id)).data;
      this.#onChange();
    }
  }

  /**
   * @template T
   * @param {() => Promise<T>} read
   * @returns {Promise<{ answer: T, since: RunEvent[] }>}
   */
  async #read(read) {
    /** @type {RunEvent[]} */
    const since = [];
    this.#reads.add(since);
    try {
      return { answer: await read(), since };
    } finally {
      this.#reads.delete(since);
    }
  }

  /** @param {Run} run @param {RunEvent[]} since the read of `run` began */
  #putRun(run, since) {
    this.#runs.set(run.id, since.filter((event) => event.run_id === run.id).reduce(reduceRun, run));
  }
}
