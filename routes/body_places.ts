import { ProblemError } from "#src/errors.ts";
import { type Clock, systemClock } from "#src/runs/clock.ts";

/** Each of 25 MiB at most. */
const PLACES = 4;
/** GitHub gives a delivery up after 10 s. */
const MAX_WAIT_MS = 8_000;
/** How long a body may take while another waits. 25 MiB need 21 Mbit/s. */
const PATIENCE_MS = 10_000;

/** 503 */
export class NoPlaceError extends ProblemError {
  constructor(detail: string) {
    super(503, "Too many large bodies", detail, { headers: { "retry-after": "5" } });
  }
}

export interface Place {
  /** Aborts if the place must be left to another. */
  signal: AbortSignal;
  /** The body is whole: nothing slow follows. */
  settle(): void;
  /** Calling it again does nothing. */
  leave(): void;
}

interface Holder {
  address: string;
  isOverdue: boolean;
  evict: () => void;
}

interface Waiting {
  address: string;
  begin: (place: Place) => void;
}

/**
 * The large bodies that may be in memory at once, whoever sends them: nobody knows yet whether they are signed. The next
 * place goes to the address that holds the fewest, and a body that comes slowly leaves its place to one that waits, so
 * that strangers hold up those who have the secret for seconds at most.
 */
export class BodyPlaces {
  readonly #holders = new Set<Holder>();
  readonly #waiting: Waiting[] = [];

  constructor(private readonly clock: Clock = systemClock) {}

  /** @throws {NoPlaceError} if none is free in time, the reason of `signal` */
  async take(address: string, signal: AbortSignal): Promise<Place> {
    signal.throwIfAborted();
    if (this.#holders.size < PLACES) return this.#hold(address);
    const { promise, resolve, reject } = Promise.withResolvers<Place>();
    const waiting = { address, begin: resolve };
    const give = (error: unknown) => {
      const at = this.#waiting.indexOf(waiting);
      if (at >= 0) this.#waiting.splice(at, 1);
      reject(error);
    };
    const stop = () => give(signal.reason);
    signal.addEventListener("abort", stop);
    const cancel = this.clock.after(MAX_WAIT_MS, () => {
      give(new NoPlaceError("the server reads as many large bodies as it may: deliver again later"));
    });
    this.#waiting.push(waiting);
    [...this.#holders].find(({ isOverdue }) => isOverdue)?.evict();
    try {
      return await promise;
    } finally {
      cancel();
      signal.removeEventListener("abort", stop);
    }
  }

  #hold(address: string): Place {
    const eviction = new AbortController();
    const holder: Holder = {
      address,
      isOverdue: false,
      evict: () => eviction.abort(new NoPlaceError("the body came too slowly while others waited")),
    };
    const cancel = this.clock.after(PATIENCE_MS, () => {
      holder.isOverdue = true;
      if (this.#waiting.length > 0) holder.evict();
    });
    this.#holders.add(holder);
    const settle = () => {
      holder.isOverdue = false;
      cancel();
    };
    const leave = () => {
      settle();
      if (this.#holders.delete(holder)) this.#fill();
    };
    return { signal: eviction.signal, settle, leave };
  }

  #fill(): void {
    if (this.#waiting.length === 0 || this.#holders.size >= PLACES) return;
    const held = (address: string) => [...this.#holders].filter((holder) => holder.address === address).length;
    let [next] = this.#waiting;
    for (const waiting of this.#waiting) if (held(waiting.address) < held(next.address)) next = waiting;
    this.#waiting.splice(this.#waiting.indexOf(next), 1);
    next.begin(this.#hold(next.address));
  }
}
