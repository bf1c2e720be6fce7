import { ProblemError } from "../errors.ts";
import type { StepLimits } from "../train/protocol.ts";

/** 503: somebody else trains, or the trainer died. What was durable before is durable still. */
export class CallFailedError extends ProblemError {
  constructor(detail: string) {
    super(503, "Not now", detail, { headers: { "retry-after": "5" } });
  }
}

/** What a call may do: at most so many updates, in at most so long from its arrival. */
export interface CallLimits {
  max_steps: number;
  max_ms: number;
}

interface Call {
  limits: CallLimits;
  /** By `performance.now()`. */
  deadline: number;
  /** The step that its attempt began at; null before it has begun. */
  fromStep: number | null;
  isWaiting: boolean;
  outcome: PromiseWithResolvers<void>;
}

/** The calls that drive runs from outside, one a run, in the order they came. */
export class Calls {
  readonly #calls = new Map<string, Call>();

  /**
   * Resolves once the call's attempt is over, with the step it began at; null where it never began. At most one call a run.
   * @throws {CallFailedError} where it got no turn in time
   */
  async make(runId: string, limits: CallLimits, begin: () => void): Promise<number | null> {
    const call: Call = {
      limits,
      deadline: performance.now() + limits.max_ms,
      fromStep: null,
      isWaiting: true,
      outcome: Promise.withResolvers(),
    };
    this.#calls.set(runId, call);
    const timer = setTimeout(() => {
      if (call.isWaiting) call.outcome.reject(new CallFailedError("the GPU is busy with other runs: call again later"));
    }, limits.max_ms);
    try {
      begin();
      await call.outcome.promise;
      return call.fromStep;
    } finally {
      clearTimeout(timer);
      this.#calls.delete(runId);
    }
  }

  has(runId: string): boolean {
    return this.#calls.has(runId);
  }

  /** Run ids of the calls that wait for their turn. */
  get waiting(): string[] {
    return [...this.#calls].filter(([, call]) => call.isWaiting).map(([id]) => id);
  }

  /** Its turn has come: what is left of its limits, or null for a run that no call drives. */
  take(runId: string): StepLimits | null {
    const call = this.#calls.get(runId);
    if (!call) return null;
    call.isWaiting = false;
    return { steps: call.limits.max_steps, ms: Math.max(0, call.deadline - performance.now()) };
  }

  began(runId: string, step: number): void {
    const call = this.#calls.get(runId);
    if (call) call.fromStep ??= step;
  }

  end(runId: string): void {
    this.#calls.get(runId)?.outcome.resolve();
  }

  fail(runId: string, error: Error): void {
    this.#calls.get(runId)?.outcome.reject(error);
  }
}
