// @ts-check
import { fileUrl } from "./api.js";
import { byId, element, setText } from "./dom.js";
import { formatBytes, formatCount, formatLoss } from "./format.js";

/** @import { Checkpoint, Run, Sample } from "./types.d.ts" */

/** What a run leaves: samples of text and checkpoints. Rebuilt only when the list is another one than the one drawn. */

/** @type {WeakMap<Element, readonly unknown[]>} */
const drawn = new WeakMap();

/**
 * @param {string} id of the container; `${id}-empty` is shown instead when there is nothing
 * @param {readonly unknown[]} items
 * @param {string} none said if there are none
 * @param {() => Node[]} build
 */
function redraw(id, items, none, build) {
  const container = byId(id, HTMLElement);
  const empty = byId(`${id}-empty`, HTMLElement);
  setText(empty, none);
  if (drawn.get(container) === items) return;
  drawn.set(container, items);
  empty.hidden = items.length > 0;
  container.replaceChildren(...build());
}

/** Why a run has written nothing. @param {Run} run */
function whyNoSamples({ status, config }) {
  if (config.sample.every === 0) return "This run writes no samples: they are switched off.";
  switch (status) {
    case "failed":
      return "The run failed before the model wrote anything.";
    case "cancelled":
      return "The run was cancelled before the model wrote anything.";
    case "succeeded":
      return "The run ended before the model wrote anything.";
    default:
      return "Nothing yet. The model writes a sample now and then while it trains.";
  }
}

/** @param {Sample[]} samples newest first: the newest in full, the others folded away @param {Run} run */
export function drawSamples(samples, run) {
  redraw("samples", samples, whyNoSamples(run), () => {
    const figures = samples.map(drawSample);
    if (figures.length < 2) return figures;
    const [newest, ...earlier] = figures;
    const folded = element("details", {}, element("summary", {}, `Earlier (${earlier.length})`), ...earlier);
    const before = document.querySelector("#samples details");
    folded.open = before instanceof HTMLDetailsElement && before.open;
    return [newest, folded];
  });
}

/** @param {Sample} sample */
function drawSample({ step, prompt, text, ignored }) {
  const figure = element(
    "figure",
    { class: "sample" },
    element("figcaption", { class: "muted" }, `Step ${formatCount(step)}`),
    element("pre", {}, element("span", { class: "prompt" }, prompt.trimStart()), text.replace(/^\n+/, "")),
  );
  const note = ignoredNote(ignored);
  if (note !== "") figure.append(element("p", { class: "muted small" }, note));
  return figure;
}

/** @param {string | string[] | undefined} ignored characters of the prompt that the model did not see */
function ignoredNote(ignored) {
  const characters = [...new Set(ignored ?? "")].map((c) => /\s/.test(c) ? JSON.stringify(c).slice(1, -1) : c);
  if (characters.length === 0) return "";
  return `Left out of the prompt, since the text that it trains on has none: ${characters.join(" ")}`;
}

/** @param {Checkpoint[]} checkpoints: the newest and the best are offered @param {Run} run */
export function drawCheckpoints(checkpoints, run) {
  const over = run.finished_at !== null;
  redraw("checkpoints", checkpoints, over ? "None: the run left none." : "None on disk yet.", () => {
    const newest = checkpoints.reduce((a, b) => b.step > a.step ? b : a, checkpoints[0]);
    // The weights before training are the best only as long as nothing else was measured.
    const best = checkpoints.find(({ is_best, step }) => is_best && step > 0);
    if (newest === undefined) return [];
    if (newest.step === 0) return [drawCheckpoint("Before training", newest)];
    if (best === undefined || best.id === newest.id) {
      return [drawCheckpoint(best === undefined ? "Newest" : "Newest and best", newest)];
    }
    return [drawCheckpoint("Newest", newest), drawCheckpoint("Best", best)];
  });
}

/** @param {string} title @param {Checkpoint} checkpoint */
function drawCheckpoint(title, checkpoint) {
  const loss = checkpoint.val_loss === null ? "" : ` · validation loss ${formatLoss(checkpoint.val_loss)}`;
  const files = checkpoint.files.map((file) =>
    element(
      "li",
      {},
      element("a", { href: fileUrl(checkpoint.id, file.name), download: file.name }, file.name),
      " ",
      element("span", { class: "muted" }, formatBytes(file.bytes)),
    )
  );
  return element(
    "div",
    { class: "checkpoint" },
    element("h3", {}, title, element("span", { class: "muted" }, ` step ${formatCount(checkpoint.step)}${loss}`)),
    element("ul", { class: "files" }, ...files),
  );
}
