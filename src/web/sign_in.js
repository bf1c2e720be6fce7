// @ts-check
import { SIGNED_OUT, signIn } from "./api.js";
import { byId, setText } from "./dom.js";
import { explainSignIn } from "./words.js";

/** The form that stands in the page's place while the service asks for a token. What was on the page stays as it is. */
export class SignIn {
  #section = byId("sign-in", HTMLElement);
  #layout = byId("layout", HTMLElement);
  #main = byId("main", HTMLElement);
  #form = byId("sign-in-form", HTMLFormElement);
  #token = byId("f-token", HTMLInputElement);
  #error = byId("sign-in-error", HTMLElement);
  #submit = /** @type {HTMLButtonElement} */ (this.#form.querySelector("button[type=submit]"));

  /** @param {() => Promise<void>} onSignedIn */
  constructor(onSignedIn) {
    document.addEventListener(SIGNED_OUT, () => this.#show(true));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#signIn(onSignedIn);
    });
  }

  /** Another tab of the browser has signed in. */
  hide() {
    this.#show(false);
  }

  get isShown() {
    return !this.#section.hidden;
  }

  /** @param {boolean} shown */
  #show(shown) {
    if (shown === this.isShown) return;
    this.#section.hidden = !shown;
    this.#layout.hidden = shown;
    this.#token.value = ""; // it is in the cookie now, as a proof, and nowhere else
    this.#showError("");
    if (shown) this.#token.focus();
    else this.#main.focus({ preventScroll: true });
  }

  /** @param {() => Promise<void>} onSignedIn */
  async #signIn(onSignedIn) {
    const token = this.#token.value.trim();
    if (token === "") return this.#showError("Enter a token.");
    this.#submit.disabled = true;
    try {
      await signIn(token);
    } catch (error) {
      return this.#showError(explainSignIn(error));
    } finally {
      this.#submit.disabled = false;
    }
    this.#show(false);
    await onSignedIn();
  }

  /** @param {string} message */
  #showError(message) {
    this.#error.hidden = message === "";
    setText(this.#error, message);
    this.#token.removeAttribute("aria-invalid");
    if (message !== "") {
      this.#token.setAttribute("aria-invalid", "true");
      this.#token.select();
    }
  }
}
