// @ts-check
import { byId, element, setText } from "./dom.js";
import { formatAge, formatCount, formatLoss } from "./format.js";

/** @import { Run } from "./types.d.ts" */

const AGES_MS = 30_000;

/** The list of runs: one link each, kept and updated in place so that focus stays where it is. */
export class RunList {
  #list = byId("run-list", HTMLUListElement);
  #empty = byId("runs-empty", HTMLElement);
  /** @type {Map<string, ReturnType<typeof makeRow>>} */
  #rows = new Map();

  constructor() {
    setInterval(() => this.#rows.forEach((row) => row.tick()), AGES_MS);
  }

  /**
   * @param {Iterable<Run>} runs newest first
   * @param {string | null} selected
   * @param {boolean} isComplete false while the list could not be read: an empty one means nothing then
   */
  draw(runs, selected, isComplete) {
    const shown = [...runs].map((run) => {
      const row = this.#rows.get(run.id) ?? makeRow(run);
      this.#rows.set(run.id, row);
      row.update(run, run.id === selected);
      return row.item;
    });
    const same = shown.length === this.#list.children.length &&
      shown.every((item, i) => item === this.#list.children[i]);
    if (!same) this.#list.replaceChildren(...shown);
    this.#empty.hidden = shown.length > 0 || !isComplete;
    for (const [id, { item }] of this.#rows) if (!item.isConnected) this.#rows.delete(id);
  }
}

/** @param {Run} run */
function makeRow(run) {
  const name = element("span", { class: "run-name" });
  const status = element("span", { class: "run-state" });
  const step = element("span", { class: "run-step" });
  const loss = element("span", { class: "run-loss" });
  const created = element("time", { datetime: run.created_at, title: new Date(run.created_at).toLocaleString() });
  const link = element(
    "a",
    { href: `#/runs/${run.id}` },
    element("span", { class: "run-line" }, name, " ", created),
    element("span", { class: "run-line small" }, status, " ", step, " ", loss),
  );
  const tick = () => setText(created, formatAge(run.created_at, Date.now()));
  tick();
  return {
    item: element("li", {}, link),
    tick,
    /** @param {Run} now @param {boolean} selected */
    update(now, selected) {
      setText(name, now.name);
      name.title = now.name;
      setText(status, now.status);
      status.dataset.status = now.status;
      setText(step, `${formatCount(now.step)} / ${formatCount(now.max_steps)}`);
      setText(loss, lossesOf(now));
      if (selected) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    },
  };
}

/** @param {Run} run */
function lossesOf({ last_metrics }) {
  const train = last_metrics?.["train/loss"];
  const validation = last_metrics?.["val/loss"];
  const parts = [];
  if (train != null) parts.push(`loss ${formatLoss(train)}`);
  if (validation != null) parts.push(`val ${formatLoss(validation)}`);
  return parts.join(" · ");
}
