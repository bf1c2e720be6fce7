// @ts-check
import { ApiError } from "./api.js";

/** @import { Refusal } from "./types.d.ts" */

/**
 * Errors in words for people, with what to do next. Nothing that a browser or a validator says reaches the page: this is
 * the one place that speaks of errors. Pure.
 */

/** The form's name for each field of a run's body. */
const LABELS = new Map([
  ["name", "name"],
  ["dataset", "text"],
  ["model", "model"],
  ["model.preset", "size"],
  ["model.n_layer", "layers"],
  ["model.n_head", "heads"],
  ["model.n_embd", "width"],
  ["context_length", "context"],
  ["batch_size", "batch"],
  ["max_steps", "steps"],
  ["optimizer.learning_rate", "learning rate"],
  ["optimizer.min_learning_rate", "final learning rate"],
  ["optimizer.warmup_steps", "warm-up"],
  ["optimizer.grad_clip", "gradient clipping"],
  ["validation_fraction", "share held out for validation"],
  ["gradient_accumulation_steps", "gradient accumulation"],
  ["sample.prompt", "prompt"],
]);

/** The API's names as they stand in sentences: `model.n_layer`, and `n_layer` alone. */
const NAMES = [...LABELS].filter(([path]) => /[._]/.test(path))
  .flatMap(([path, label]) => [[path, asObject(path, label)], [path.split(".").at(-1) ?? path, label]])
  .filter(([name]) => /_|\./.test(name))
  .sort(([a], [b]) => b.length - a.length);

/** Advice names the optimizer's fields in full, as things to lower or to set. @param {string} path @param {string} label */
function asObject(path, label) {
  return path.startsWith("optimizer.") ? `the ${label}` : label;
}

const NO_ANSWER = "The server does not answer. It may have stopped, or the network is down.";

/** @param {string} path of a body's field @returns {string} what the page calls it */
export const labelOf = (path) => LABELS.get(path) ?? path;

/**
 * A sentence of the service for people: the form's words for the API's names, a capital and a full stop.
 * @param {string} message
 */
export function inWords(message) {
  let text = message;
  for (const [name, label] of NAMES) text = text.replaceAll(new RegExp(`(?<![\\w.])${name}(?![\\w.]\\w)`, "g"), label);
  text = text.trim();
  if (text === "") return text;
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?…]$/.test(text) ? "" : "."}`;
}

/**
 * Says in a sentence or two why something failed.
 * @param {unknown} error
 * @returns {string}
 */
export function explain(error) {
  if (!(error instanceof ApiError)) {
    // `fetch` rejects with a TypeError if there is no answer. Anything else is a fault of the page.
    return error instanceof TypeError
      ? NO_ANSWER
      : "Something in this page failed. Reload it; what the server does goes on.";
  }
  switch (error.status) {
    case 401:
      return "You are signed out: sign in again.";
    case 404:
      return "It is not there any more: it may have been deleted.";
    case 409:
      return `That is not possible now. ${inWords(error.message)}`;
    case 429:
      return inWords(error.message);
    case 503:
      return `The server cannot do this now. ${inWords(error.message)}`;
    default:
      return error.status >= 500
        ? "The server failed at this. Its log says more; try again in a moment."
        : inWords(error.message);
  }
}

/**
 * Why a run's body was refused: each reason with the field that it is about, or "" for none.
 * @param {unknown} error
 * @returns {Refusal[]} at least one
 */
export function reasonsOf(error) {
  if (!(error instanceof ApiError) || error.errors.length === 0) return [{ path: "", message: explain(error) }];
  return error.errors.map(({ path, message }) => ({ path, message: sayRefusal(path, message) }));
}

/**
 * A refusal of one field. The validator's own sentences are told by their shape, and told anew.
 * @param {string} path
 * @param {string} message
 * @returns {string}
 */
export function sayRefusal(path, message) {
  const atLeast = /^Too small: expected (number|string|array) to (?:be|have) (>=?)(\S+)/.exec(message);
  const atMost = /^Too big: expected (number|string|array) to (?:be|have) (<=?)(\S+)/.exec(message);
  const bound = atLeast ?? atMost;
  if (bound !== null) {
    const [, kind, sign, limit] = bound;
    const counted = kind === "number" ? limit : `${limit} ${kind === "string" ? "characters" : "entries"}`;
    if (kind === "string" && atLeast !== null && limit === "1") return "Fill this in.";
    if (atLeast !== null) return `Take ${sign === ">" ? "more than" : "at least"} ${counted}.`;
    return `Take ${sign === "<" ? "less than" : "at most"} ${counted}.`;
  }
  const option = /^Invalid option: expected one of (.+)$/.exec(message);
  if (option !== null) return `Choose one of ${option[1].replaceAll('"', "").split("|").join(", ")}.`;
  if (/^Invalid input: expected int\b/.test(message)) return "Enter a whole number.";
  if (/^Invalid input: expected number\b/.test(message)) return "Enter a number.";
  if (/^Invalid input: expected (?!one of)/.test(message)) return "This value is not understood.";
  if (/^Unrecognized keys?:/.test(message)) return `This server does not know the field “${labelOf(path)}”.`;
  if (/^Invalid (input|string|value)/.test(message)) return "This value is not understood.";
  return inWords(message);
}

/** @param {unknown} error @returns {string} why nobody was signed in */
export function explainSignIn(error) {
  if (error instanceof ApiError && error.status === 401) {
    return "That token is not one of this server’s. Its owner set it in REVERIE_TOKEN when starting the server.";
  }
  return explain(error);
}
