import { Turns } from "../turns.ts";

/** Thrown inside a reading whose client has gone away; nobody hears it. */
class AbandonedError extends Error {}

/** One client's long reading: gives others their turns, and ends early once the client is gone. */
export class Reading {
  readonly #turns = new Turns();
  #isAbandoned = false;

  get isAbandoned(): boolean {
    return this.#isAbandoned;
  }

  abandon(): void {
    this.#isAbandoned = true;
  }

  /** Call it after each slice of work. */
  async turn(): Promise<void> {
    await this.#turns.give();
    if (this.#isAbandoned) throw new AbandonedError();
  }
}
