import type { Clock } from "#src/runs/clock.ts";

/** Runs with the system's clock but for what a test skips; a timer goes off when its time is skipped to. */
export class SkippingClock implements Clock {
  #skippedMs = 0;
  readonly #timers = new Set<{ at: number; callback: () => void }>();

  now(): number {
    return Date.now() + this.#skippedMs;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.now() + ms, callback };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  get timers(): number {
    return this.#timers.size;
  }

  /** By `ms`, with what is due by then. */
  advance(ms: number): void {
    const until = this.#skippedMs + ms;
    const now = this.now();
    while ([...this.#timers].some(({ at }) => at <= now + ms)) this.skip();
    this.#skippedMs = Math.max(this.#skippedMs, until);
  }

  /** To the next timer, which goes off; answers how far that was. */
  skip(): number {
    const [next] = [...this.#timers].sort((a, b) => a.at - b.at);
    if (!next) throw new Error("nothing waits for the clock");
    const ms = Math.max(0, next.at - this.now());
    this.#skippedMs += ms;
    this.#timers.delete(next);
    next.callback();
    return ms;
  }
}
