// @ts-check
import { ApiError, createRun, listDatasets, planRun } from "./api.js";
import { byId, element, setText } from "./dom.js";
import { formatBytes, formatCompact, formatDuration } from "./format.js";
import { PRESETS, SHAPES } from "./presets.js";

/** @import { Plan, Run } from "./types.d.ts" */

const PLAN_DELAY_MS = 250;

/** The form that starts a run: says what a shape will cost before, and why it was refused after. */
export class RunForm {
  #form = byId("run-form", HTMLFormElement);
  #errors = byId("form-errors", HTMLElement);
  #plan = byId("plan", HTMLElement);
  #submit = /** @type {HTMLButtonElement} */ (this.#form.querySelector("button[type=submit]"));
  /** Counts edits: an answer about an older state of the form is dropped. */
  #edit = 0;

  /** @param {(run: Run) => void} onCreated */
  constructor(onCreated) {
    const preset = byId("f-preset", HTMLSelectElement);
    preset.append(...Object.keys(SHAPES).map((name) => element("option", {}, name)));
    preset.addEventListener("change", () => this.#fill(preset.value));
    this.#fill(preset.value);
    this.#form.addEventListener("input", () => this.#preview());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#start(onCreated);
    });
  }

  /** Reads what the service has, once the form is on screen. */
  async open() {
    const { data } = await listDatasets();
    const select = byId("f-dataset", HTMLSelectElement);
    const chosen = select.value;
    select.replaceChildren(
      ...data.map(({ id, name }) => element("option", { value: name === "sample" ? name : id }, name)),
    );
    select.value = data.some(({ id }) => id === chosen) ? chosen : "sample";
    this.#preview();
  }

  /** @param {string} name of a shape */
  #fill(name) {
    const shape = SHAPES[/** @type {keyof typeof SHAPES} */ (name)];
    byId("f-layers", HTMLInputElement).value = String(shape.n_layer);
    byId("f-heads", HTMLInputElement).value = String(shape.n_head);
    byId("f-width", HTMLInputElement).value = String(shape.n_embd);
    byId("f-context", HTMLInputElement).value = String(shape.context_length);
  }

  #preview() {
    const edit = ++this.#edit;
    this.#showErrors([]);
    setTimeout(async () => {
      if (edit !== this.#edit) return;
      const body = this.#body();
      try {
        const plan = await planRun(body);
        if (edit !== this.#edit) return;
        setText(this.#plan, priceOf(plan, Number(body.max_steps)));
      } catch (error) {
        if (edit === this.#edit) setText(this.#plan, reasonsOf(error).map(({ message }) => message).join("; "));
      }
    }, PLAN_DELAY_MS);
  }

  /** @param {(run: Run) => void} onCreated */
  async #start(onCreated) {
    this.#edit++;
    this.#showErrors([]);
    this.#submit.disabled = true;
    try {
      onCreated(await createRun(this.#body(), newKey()));
    } catch (error) {
      this.#showErrors(reasonsOf(error));
    } finally {
      this.#submit.disabled = false;
    }
  }

  /** A run's body: each named field at its dotted path, and ten evaluations, samples and checkpoints on the way. */
  #body() {
    const fields = new FormData(this.#form);
    const text = (/** @type {string} */ name) => String(fields.get(name) ?? "").trim();
    // A number that does not parse is sent as it was typed, for the service to refuse with its own words.
    const number = (/** @type {string} */ name) =>
      text(name) === "" || Number.isNaN(Number(text(name))) ? text(name) : Number(text(name));
    const steps = number("max_steps");
    const every = Math.max(1, Math.floor(Number(steps) / 10) || 1);
    return {
      ...(text("name") === "" ? {} : { name: text("name") }),
      dataset: text("dataset"),
      model: {
        ...(text("model.preset") in PRESETS ? { preset: text("model.preset") } : {}),
        n_layer: number("model.n_layer"),
        n_head: number("model.n_head"),
        n_embd: number("model.n_embd"),
      },
      context_length: number("context_length"),
      max_steps: steps,
      optimizer: { learning_rate: number("optimizer.learning_rate") },
      eval: { every },
      sample: { every },
      checkpoint: { every },
    };
  }

  /**
   * Each error at the field it names, the others above the button; focus goes to the first.
   * @param {{ path: string, message: string }[]} errors
   */
  #showErrors(errors) {
    for (const shown of this.#form.querySelectorAll(".field-error")) shown.remove();
    for (const input of this.#form.querySelectorAll("[aria-invalid]")) {
      input.removeAttribute("aria-invalid");
      input.removeAttribute("aria-describedby");
    }
    const general = [];
    for (const { path, message } of errors) {
      const input = this.#form.elements.namedItem(path);
      if (!(input instanceof HTMLElement)) {
        general.push(path === "" ? message : `${path}: ${message}`);
        continue;
      }
      const id = `${input.id}-error`;
      input.setAttribute("aria-invalid", "true");
      input.setAttribute("aria-describedby", id);
      input.after(element("span", { class: "field-error", id }, message));
    }
    this.#errors.hidden = general.length === 0;
    this.#errors.replaceChildren(...general.map((message) => element("p", {}, message)));
    const first = this.#form.querySelector("[aria-invalid]") ?? (general.length > 0 ? this.#errors : null);
    if (first instanceof HTMLElement) first.focus();
  }
}

/** What a run takes, in a line. @param {Plan} plan @param {number} steps */
function priceOf({ parameters, bytes, fits, estimated_seconds_per_step: seconds, notes }, steps) {
  const price = [`${formatCompact(parameters)} parameters`, formatBytes(bytes.total)];
  if (seconds !== null) price.push(`about ${formatDuration(seconds * steps)}`);
  if (!fits) price.push("does not fit this device", ...notes);
  return price.join(" · ");
}

/**
 * @param {unknown} error
 * @returns {{ path: string, message: string }[]} at least one
 */
function reasonsOf(error) {
  if (!(error instanceof ApiError)) return [{ path: "", message: "The service did not answer. Is it still running?" }];
  return error.errors.length > 0 ? error.errors : [{ path: "", message: error.message }];
}

/** A fresh idempotency key, also where the page is not a secure context and `crypto.randomUUID` is missing. */
const newKey = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(16)).join("-");
