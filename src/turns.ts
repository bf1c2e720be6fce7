/** The longest stretch of work between two turns. A request that arrives meanwhile waits that long. */
const SLICE_MS = 10;

/**
 * Lets everything that is waiting run: requests, timers, messages. Only a timer does that under Deno 2.9.6. With
 * `setImmediate` in a loop, another request waited 0.95 s of 1.18 s; with a timer it waited 5 ms.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** Cuts a long loop into slices, so that the loop does not hold its thread. One instance per loop. */
export class Turns {
  #sliceBegan = performance.now();

  constructor(private readonly sliceMs = SLICE_MS) {}

  /** Whether the present slice is over. A loop that cannot await checks this. */
  get isDue(): boolean {
    return performance.now() - this.#sliceBegan >= this.sliceMs;
  }

  /** Call it once per iteration: it waits for a turn when the present slice is over, and returns at once otherwise. */
  async give(): Promise<void> {
    if (!this.isDue) return;
    await nextTurn();
    this.#sliceBegan = performance.now();
  }
}

/**
 * Slices that many loops share: a thousand of them hold the thread no longer than one does. A loop that was asleep need
 * not wait, since a slice begins with the first call after a turn.
 */
export class SharedTurns {
  readonly #waiting: (() => void)[] = [];
  #isOpen = false;
  #isLettingIn = false;
  #sliceBegan = 0;

  constructor(private readonly sliceMs = SLICE_MS) {}

  /** Each loop calls it once per iteration. Once the slice is over it waits, and is let go on in the order of calls. */
  give(): Promise<void> {
    if (this.#waiting.length === 0) {
      if (!this.#isOpen) this.#open();
      if (!this.#isDue) return Promise.resolve();
    }
    const turn = new Promise<void>((resolve) => this.#waiting.push(resolve));
    void this.#letIn();
    return turn;
  }

  get #isDue(): boolean {
    return performance.now() - this.#sliceBegan >= this.sliceMs;
  }

  #open(): void {
    this.#isOpen = true;
    this.#sliceBegan = performance.now();
    void nextTurn().then(() => this.#isOpen = false);
  }

  /**
   * Slice after slice for those that wait. The timer is set after the slice, never while it lasts: Deno's runtime looks
   * for requests when it has nothing else to do, else only on every 61st round, and a timer that is due already is
   * something to do. With timers set at the slice's beginning a request waited 700 ms.
   */
  async #letIn(): Promise<void> {
    if (this.#isLettingIn) return;
    this.#isLettingIn = true;
    while (this.#waiting.length > 0) {
      await nextTurn();
      this.#open();
      while (this.#waiting.length > 0 && !this.#isDue) {
        this.#waiting.shift()!();
        await null; // the loop that was let go works now
      }
    }
    this.#isLettingIn = false;
  }
}
