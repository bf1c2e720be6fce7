// @ts-check
import { ApiError, createRun, listDatasets, planRun } from "./api.js";
import { byId, element, setText } from "./dom.js";
import { formatBytes, formatCompact, formatDuration, formatRate } from "./format.js";
import { decimalSign } from "./numbers.js";
import { CUSTOM, learningRateOf, shapeName, SHAPES } from "./presets.js";
import { runBody } from "./run_body.js";
import { explain, labelOf, reasonsOf, sayRefusal } from "./words.js";

/** @import { Plan, Refusal, Run } from "./types.d.ts" */

const PLAN_DELAY_MS = 250;
/** A run longer than this says so on the button that starts it. */
const LONG_SECONDS = 3600;
/** The fields that make a shape. */
const SIZES = ["f-layers", "f-heads", "f-width", "f-context"];

/** The form that starts a run: says what a shape will cost before, and why it was refused, before and after. */
export class RunForm {
  #form = byId("run-form", HTMLFormElement);
  #errors = byId("form-errors", HTMLElement);
  #plan = byId("plan", HTMLElement);
  #warnings = byId("plan-warnings", HTMLUListElement);
  #submit = byId("start-run", HTMLButtonElement);
  #preset = byId("f-preset", HTMLSelectElement);
  #dataset = byId("f-dataset", HTMLSelectElement);
  #again = byId("again", HTMLElement);
  #decimal = decimalSign(navigator.language);
  /** The run that this one repeats, but for what the form says. @type {Run | null} */
  #base = null;
  /** Counts edits: an answer about an older state of the form is dropped. */
  #edit = 0;

  /** @param {(run: Run) => void} onCreated */
  constructor(onCreated) {
    this.#preset.append(...[...Object.keys(SHAPES), CUSTOM].map((name) => element("option", {}, name)));
    this.#preset.addEventListener("change", () => this.#fill(this.#preset.value));
    this.#fill(this.#preset.value);
    this.#form.addEventListener("input", (event) => {
      if (event.target instanceof Element && SIZES.includes(event.target.id)) this.#nameShape();
      this.#preview();
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#start(onCreated);
    });
    byId("forget-again", HTMLButtonElement).addEventListener("click", () => {
      this.#repeat(null);
      byId("f-name", HTMLInputElement).focus();
      this.#preview();
    });
  }

  /** Reads what the service has, once the form is on screen and after each change of it. */
  async open() {
    try {
      const { data } = await listDatasets();
      const chosen = this.#dataset.value;
      const known = data.map(({ id, name, names }) => {
        const isSample = name === "sample" || names?.includes("sample");
        return { name, value: isSample ? "sample" : id };
      });
      this.#dataset.replaceChildren(...known.map(({ name, value }) => element("option", { value }, name)));
      this.#dataset.value = known.some(({ value }) => value === chosen) ? chosen : "sample";
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return; // the form to sign in is there
      this.#showErrors([{ path: "dataset", message: `The texts could not be read. ${explain(error)}` }]);
      return;
    }
    this.#preview();
  }

  /** Fills the form with what `run` was, at another rate. @param {Run} run @param {number} learningRate */
  async startAgain(run, learningRate) {
    this.#repeat(run);
    const { model, context_length, max_steps, sample } = run.config;
    this.#set("f-layers", model.n_layer);
    this.#set("f-heads", model.n_head);
    this.#set("f-width", model.n_embd);
    this.#set("f-context", context_length);
    this.#set("f-steps", max_steps);
    this.#set("f-rate", formatRate(learningRate));
    byId("f-prompt", HTMLTextAreaElement).value = sample.prompt;
    this.#set("f-name", `${run.name} again`.slice(0, 100));
    this.#nameShape();
    await this.open();
    if (run.dataset_id !== null && [...this.#dataset.options].some(({ value }) => value === run.dataset_id)) {
      this.#dataset.value = run.dataset_id;
      this.#preview();
    }
  }

  /** @param {Run | null} run */
  #repeat(run) {
    this.#base = run;
    this.#again.hidden = run === null;
    setText(byId("again-name", HTMLElement), run?.name ?? "");
  }

  /** @param {string} id @param {string | number} value */
  #set(id, value) {
    byId(id, HTMLInputElement).value = String(value);
  }

  /** @param {string} name of a shape */
  #fill(name) {
    const shape = SHAPES[/** @type {keyof typeof SHAPES} */ (name)];
    if (shape === undefined) return;
    this.#set("f-layers", shape.n_layer);
    this.#set("f-heads", shape.n_head);
    this.#set("f-width", shape.n_embd);
    this.#set("f-context", shape.context_length);
    this.#set("f-rate", learningRateOf(name));
  }

  /** After an edit of the sizes, the name that they have. */
  #nameShape() {
    const [n_layer, n_head, n_embd, context_length] = SIZES.map((id) => Number(byId(id, HTMLInputElement).value));
    this.#preset.value = shapeName({ model: { n_layer, n_head, n_embd }, context_length });
  }

  #body() {
    const fields = new FormData(this.#form);
    return runBody((name) => String(fields.get(name) ?? ""), this.#decimal, this.#base?.config ?? null);
  }

  #preview() {
    const edit = ++this.#edit;
    this.#showErrors([]);
    this.#submit.disabled = false;
    setTimeout(async () => {
      if (edit !== this.#edit) return;
      const read = this.#body();
      if ("errors" in read) return this.#refuse(read.errors);
      try {
        const plan = await planRun(read.body);
        if (edit === this.#edit) this.#promise(plan, read.body.max_steps);
      } catch (error) {
        if (edit !== this.#edit) return;
        if (error instanceof ApiError && [400, 422].includes(error.status)) this.#refuse(reasonsOf(error));
        else this.#say(`What the run takes is not known. ${explain(error)}`);
      }
    }, PLAN_DELAY_MS);
  }

  /** Shows what the run takes, and the warnings about it. @param {Plan} plan @param {number} steps */
  #promise(plan, steps) {
    const { estimated_seconds_per_step: perStep } = plan;
    const seconds = plan.estimated_seconds ?? (perStep === null ? null : perStep * steps);
    if (plan.problems !== undefined && plan.problems.length > 0) return this.#refuseAsPlanned(plan.problems);
    this.#say(priceOf(plan, seconds));
    this.#warnings.replaceChildren(...(plan.warnings ?? []).map((warning) => this.#warning(warning)));
    setText(
      this.#submit,
      seconds !== null && seconds > LONG_SECONDS ? `Start, about ${formatDuration(seconds)}` : START,
    );
  }

  /** @param {NonNullable<Plan["warnings"]>[number]} warning */
  #warning({ path, message, suggestion }) {
    const item = element("li", {}, sayRefusal(path, message));
    const input = this.#form.elements.namedItem(path);
    if (suggestion === undefined || suggestion === null) return item;
    if (!(input instanceof HTMLInputElement)) return element("li", {}, `${sayRefusal(path, message)} ${suggestion}`);
    const button = element("button", { type: "button" }, `Use ${suggestion}`);
    button.addEventListener("click", () => {
      input.value = String(suggestion);
      input.focus();
      input.dispatchEvent(new Event("input", { bubbles: true }));
    });
    item.append(" ", button);
    return item;
  }

  /** Shows why the service would refuse the run, each reason with its remedy. @param {NonNullable<Plan["problems"]>} problems */
  #refuseAsPlanned(problems) {
    this.#refuse(problems.map(({ path, message }) => ({ path, message: sayRefusal(path, message) })));
    this.#warnings.replaceChildren(...problems.map((problem) => this.#warning(problem)));
  }

  /** The run cannot be started as it stands: why, in place of what it would take. @param {Refusal[]} reasons */
  #refuse(reasons) {
    this.#say("This run cannot start as it is:");
    this.#warnings.replaceChildren(...reasons.map((reason) => element("li", { class: "refusal" }, named(reason))));
    this.#mark(reasons);
    this.#submit.disabled = true;
  }

  /** @param {string} price */
  #say(price) {
    setText(this.#plan, price);
    setText(this.#submit, START);
    this.#warnings.replaceChildren();
  }

  /** @param {(run: Run) => void} onCreated */
  async #start(onCreated) {
    this.#edit++;
    this.#showErrors([]);
    const read = this.#body();
    if ("errors" in read) return this.#showErrors(read.errors);
    this.#submit.disabled = true;
    try {
      const run = await createRun(read.body, newKey());
      this.#repeat(null);
      onCreated(run);
    } catch (error) {
      this.#showErrors(reasonsOf(error));
    } finally {
      this.#submit.disabled = false;
    }
  }

  /**
   * Each error at the field it names, the others above the button; focus goes to the first.
   * @param {Refusal[]} errors
   */
  #showErrors(errors) {
    const general = this.#mark(errors);
    this.#errors.hidden = general.length === 0;
    this.#errors.replaceChildren(...general.map((reason) => element("p", {}, named(reason))));
    const first = this.#form.querySelector("[aria-invalid]") ?? (general.length > 0 ? this.#errors : null);
    if (first instanceof HTMLElement) first.focus();
  }

  /** Puts each error at the field that it names. @param {Refusal[]} errors @returns {Refusal[]} those that name none */
  #mark(errors) {
    for (const shown of this.#form.querySelectorAll(".field-error")) shown.remove();
    for (const input of this.#form.querySelectorAll("[aria-invalid]")) {
      input.removeAttribute("aria-invalid");
      input.removeAttribute("aria-describedby");
    }
    return errors.filter(({ path, message }) => {
      const input = this.#form.elements.namedItem(path);
      if (!(input instanceof HTMLElement)) return true;
      const id = `${input.id}-error`;
      input.setAttribute("aria-invalid", "true");
      input.setAttribute("aria-describedby", id);
      input.after(element("span", { class: "field-error", id }, message));
      return false;
    });
  }
}

const START = "Start training";

/** A reason with the field's name before it. @param {Refusal} reason */
function named({ path, message }) {
  if (path === "") return message;
  const label = labelOf(path);
  return `${label[0].toUpperCase()}${label.slice(1)}: ${message}`;
}

/** Says in a line what a run takes. @param {Plan} plan @param {number | null} seconds */
function priceOf({ parameters, bytes, fits, notes }, seconds) {
  const price = [`${formatCompact(parameters)} parameters`, formatBytes(bytes.total)];
  if (seconds !== null) price.push(`about ${formatDuration(seconds)}`);
  if (!fits) price.push("does not fit this device", ...notes.map((note) => sayRefusal("", note)));
  return price.join(" · ");
}

/** A fresh idempotency key, also where the page is not a secure context and `crypto.randomUUID` is missing. */
const newKey = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(16)).join("-");
