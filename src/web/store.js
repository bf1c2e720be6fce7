// @ts-check
import * as api from "./api.js";
import { bucketWidth } from "./buckets.js";
import { reduceHistory, reduceRun, storedHistory } from "./run_state.js";

/** @import { Checkpoint, Run, RunEvent } from "./types.d.ts" */
/** @import { RunHistory } from "./run_state.js" */

/**
 * The run that the URL names.
 * @typedef {object} Selection
 * @property {string} id
 * @property {string | null} name the last one known
 * @property {RunHistory | null} history null until it is here
 * @property {Checkpoint[]} checkpoints newest first
 * @property {"unknown" | "deleted" | null} gone the service knows no such run, or no longer
 * @property {unknown} problem why the newest read of it failed; null if it did not
 */

/** Events after which the row has news that no event carries: times, the error, parameters, a new name. */
const CHANGES_ROW = /^run\.(queued|started|paused|resumed|interrupted|succeeded|failed|cancelled|updated)$/;

/**
 * What the page knows. Reads and events overlap: an answer may be older than an event that overtook it. So the events that
 * come while a read is under way are kept and folded into its answer, which is at least as new as the read's beginning.
 *
 * A read that fails leaves what is known as it is, and its error where the reader looks: `listProblem`, or the
 * selection's `problem`. `readAgain` tries all of it anew.
 */
export class Store {
  /** @type {Map<string, Run>} */
  #runs = new Map();
  /** Where the list goes on. @type {string | null} */
  #olderRuns = null;
  /** @type {Selection | null} */
  selection = null;
  /** Why the newest read of the list failed; null if it did not. @type {unknown} */
  listProblem = null;
  /** For each read under way, the events since it began. @type {Set<RunEvent[]>} */
  #reads = new Set();
  #onChange;
  #api;

  /** @param {() => void} onChange @param {typeof api} service */
  constructor(onChange, service = api) {
    this.#onChange = onChange;
    this.#api = service;
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
  loadRuns() {
    return this.#loadList(null);
  }

  loadOlderRuns() {
    return this.#loadList(this.#olderRuns);
  }

  /** All that is shown, after a failure or a gap. */
  async readAgain() {
    const selection = this.selection;
    await Promise.all([this.loadRuns(), selection === null ? null : this.#readSelection(selection)]);
  }

  /** Shows this run, or none. @param {string | null} id */
  async select(id) {
    if (id === null) {
      this.selection = null;
      return this.#onChange();
    }
    const name = this.#runs.get(id)?.name ?? null;
    this.selection = { id, name, history: null, checkpoints: [], gone: null, problem: null };
    this.#onChange();
    await this.#readSelection(this.selection);
  }

  /** @param {"pause" | "resume" | "cancel"} action @throws {api.ApiError} when it is refused */
  async act(action) {
    if (this.selection === null) return;
    const { id } = this.selection;
    await this.#api.actOnRun(id, action);
    await this.#refreshRun(id);
  }

  /** @param {RunEvent} event */
  async receive(event) {
    for (const since of this.#reads) since.push(event);
    if (event.run_id === null) return;
    if (event.type === "run.deleted") return this.#remove(event.run_id);
    const run = this.#runs.get(event.run_id);
    if (run !== undefined) this.#runs.set(run.id, reduceRun(run, event));
    const selection = this.selection?.id === event.run_id ? this.selection : null;
    if (selection !== null && selection.history !== null) selection.history = reduceHistory(selection.history, event);
    this.#onChange();
    if (CHANGES_ROW.test(event.type)) await this.#refreshRun(event.run_id);
    if (selection === null) return;
    if (selection.history?.stale) await this.#readSelection(selection);
    else if (event.type === "run.checkpointed") await this.#readCheckpoints(selection);
  }

  /** @param {string | null} after cursor */
  async #loadList(after) {
    const known = [...this.#runs.keys()];
    try {
      const { answer, since } = await this.#read(() => this.#api.listRuns(after));
      for (const run of answer.data) this.#putRun(run, since);
      if (after === null) this.#dropGone(known, answer);
      this.#olderRuns = answer.next_cursor;
      this.listProblem = null;
    } catch (error) {
      this.listProblem = unlessSignedOut(error);
    }
    this.#onChange();
  }

  /**
   * Runs that were deleted while nobody told this page: known before the read, within its range, and not in it.
   * @param {string[]} known
   * @param {{ data: Run[], next_cursor: string | null }} page
   */
  #dropGone(known, { data, next_cursor }) {
    const oldest = next_cursor === null ? "" : data.at(-1)?.id ?? "";
    const there = new Set(data.map(({ id }) => id));
    for (const id of known) if (id >= oldest && !there.has(id)) this.#remove(id);
  }

  /** @param {Selection} selection */
  async #readSelection(selection) {
    try {
      await this.#fetchRun(selection.id);
      const run = this.#runs.get(selection.id);
      if (run === undefined) return;
      const { answer: [losses, samples, checkpoints], since } = await this.#read(() =>
        Promise.all([
          this.#api.getLosses(run, bucketWidth(run.max_steps)),
          this.#api.listSamples(run.id),
          this.#api.listCheckpoints(run.id),
        ])
      );
      const events = since.filter((event) => event.run_id === run.id);
      selection.history = events.reduce(reduceHistory, storedHistory(run, losses, samples.data));
      selection.checkpoints = checkpoints.data;
      selection.problem = null;
    } catch (error) {
      selection.problem = unlessSignedOut(error);
    }
    this.#onChange();
    if (selection.history?.stale && selection.problem === null) await this.#readSelection(selection);
  }

  /** @param {Selection} selection */
  async #readCheckpoints(selection) {
    try {
      selection.checkpoints = (await this.#api.listCheckpoints(selection.id)).data;
    } catch (error) {
      selection.problem = unlessSignedOut(error);
    }
    this.#onChange();
  }

  /** The row after a change; a failure stands where the run is shown. @param {string} id */
  async #refreshRun(id) {
    try {
      await this.#fetchRun(id);
    } catch (error) {
      const problem = unlessSignedOut(error);
      if (this.selection?.id === id) this.selection.problem = problem;
      else this.listProblem = problem;
    }
    this.#onChange();
  }

  /** @param {string} id */
  async #fetchRun(id) {
    try {
      const { answer, since } = await this.#read(() => this.#api.getRun(id));
      if (since.some((event) => event.type === "run.deleted" && event.run_id === id)) return;
      this.#putRun(answer, since);
    } catch (error) {
      if (!(error instanceof api.ApiError) || error.status !== 404) throw error;
      this.#remove(id);
    }
  }

  /** @param {string} id */
  #remove(id) {
    const known = this.#runs.delete(id);
    if (this.selection?.id === id) this.selection.gone ??= known ? "deleted" : "unknown";
    this.#onChange();
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
    const events = since.filter((event) => event.run_id === run.id);
    if (events.some(({ type }) => type === "run.deleted")) return;
    this.#runs.set(run.id, events.reduce(reduceRun, run));
    if (this.selection?.id === run.id) this.selection.name = run.name;
  }
}

/** The form to sign in says that nobody is; after it all is read again. @param {unknown} error */
const unlessSignedOut = (error) => error instanceof api.ApiError && error.status === 401 ? null : error;
