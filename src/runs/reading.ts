import { SharedTurns } from "../turns.ts";

/** Thrown inside a reading whose client has gone away; nobody hears it. */
class AbandonedError extends Error {}

/** With 10 ms another request waited twice as long: Deno looks at its sockets only between some turns. */
const SLICE_MS = 5;
/** One slice at a time, however many clients read. */
const turns = new SharedTurns(SLICE_MS);

/** One client's long reading: gives others their turns, and ends early once the client is gone. */
export class Reading {
  #isAbandoned = false;

  get isAbandoned(): boolean {
    return this.#isAbandoned;
  }

  abandon(): void {
    this.#isAbandoned = true;
  }

  /** Call it after each slice of work. */
  async turn(): Promise<void> {
    await turns.give();
    if (this.#isAbandoned) throw new AbandonedError();
  }
}
