// @ts-check
import { fileUrl } from "./api.js";
import { byId, element } from "./dom.js";
import { formatBytes, formatCount, formatLoss } from "./format.js";

/** @import { Checkpoint, Sample } from "./types.d.ts" */

/** What a run leaves: samples of text and checkpoints. Rebuilt only when the list is another one than the one drawn. */

/** @type {WeakMap<Element, readonly unknown[]>} */
const drawn = new WeakMap();

/**
 * @param {string} id of the container; `${id}-empty` is shown instead when there is nothing
 * @param {readonly unknown[]} items
 * @param {() => Node[]} build
 */
function redraw(id, items, build) {
  const container = byId(id, HTMLElement);
  if (drawn.get(container) === items) return;
  drawn.set(container, items);
  byId(`${id}-empty`, HTMLElement).hidden = items.length > 0;
  container.replaceChildren(...build());
}

/** @param {Sample[]} samples newest first: the newest in full, the others folded away */
export function drawSamples(samples) {
  redraw("samples", samples, () => {
    const figures = samples.map((sample) =>
      element(
        "figure",
        { class: "sample" },
        element("figcaption", { class: "muted" }, `Step ${formatCount(sample.step)}`),
        element(
          "pre",
          {},
          element("span", { class: "prompt" }, sample.prompt.trimStart()),
          sample.text.replace(/^\n+/, ""),
        ),
      )
    );
    if (figures.length < 2) return figures;
    const [newest, ...earlier] = figures;
    const folded = element("details", {}, element("summary", {}, `Earlier (${earlier.length})`), ...earlier);
    const before = document.querySelector("#samples details");
    folded.open = before instanceof HTMLDetailsElement && before.open;
    return [newest, folded];
  });
}

/** @param {Checkpoint[]} checkpoints: the newest and the best are offered */
export function drawCheckpoints(checkpoints) {
  redraw("checkpoints", checkpoints, () => {
    const newest = checkpoints.reduce((a, b) => b.step > a.step ? b : a, checkpoints[0]);
    const best = checkpoints.find((checkpoint) => checkpoint.is_best);
    if (newest === undefined) return [];
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
