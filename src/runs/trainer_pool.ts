import { NoDeviceError, withoutPaths } from "../errors.ts";
import type { Log } from "../log.ts";
import type { DeviceInfo } from "../train/protocol.ts";
import type { RunReport } from "./reports.ts";
import type { TrainerPort } from "./trainer_port.ts";
import { TrainerSlot } from "./trainer_slot.ts";

export type DeviceState =
  | { status: "opening" }
  | { status: "ready"; device: DeviceInfo }
  | { status: "none"; reason: string };

export interface PoolSettings {
  /** Runs at once, where memory allows. */
  concurrency: number;
  idleSeconds: number;
  hangSeconds: number;
  /** Where WebGPU does not say; null: not known. */
  gpuMemoryBytes: number | null;
  /** Pause before the n-th attempt in a row that made no progress. */
  retryMs?: (attempt: number) => number;
}

interface PoolOptions {
  openTrainer: () => TrainerPort;
  settings: PoolSettings;
  log: Log;
  /** A slot may have become free. */
  onFree(): void;
  onReport(slot: TrainerSlot, report: RunReport): void;
  /** The trainer is gone, and what it worked on with it: `slot.run` until `release`. */
  onLost(slot: TrainerSlot, cause: Error): void;
}

/** At once at first, then 1, 2, 4 … 60 s: a driver that resets takes its time. */
const retryMsOf = (attempt: number) => attempt <= 1 ? 0 : Math.min(60_000, 1000 * 2 ** (attempt - 2));

/** The device, and the places to train on it. */
export class TrainerPool {
  #device: DeviceState = { status: "opening" };
  readonly #opened = Promise.withResolvers<DeviceState>();
  readonly #slots: TrainerSlot[];
  /** Slots whose trainer crashed and that wait before they open another. */
  readonly #resting = new Map<TrainerSlot, ReturnType<typeof setTimeout>>();
  /** Attempts in a row to get a device back that was there. */
  #deviceAttempts = 0;
  #stopped = false;

  constructor(private readonly options: PoolOptions) {
    const { openTrainer, settings, log, onReport, onLost } = options;
    this.#slots = Array.from({ length: settings.concurrency }, () =>
      new TrainerSlot({
        openTrainer,
        hangMs: 1000 * settings.hangSeconds,
        idleMs: 1000 * settings.idleSeconds,
        onDevice: (device) => this.#useDevice(device),
        onNoDevice: (reason) => this.#loseDevice(reason),
        onReport,
        onIdle: () => log.info("the GPU was given back: there is no run"),
        onLost,
      }));
  }

  get device(): DeviceState {
    return this.#device;
  }

  /** @throws {NoDeviceError} */
  requireDevice(): DeviceInfo {
    if (this.#device.status === "ready") return this.#device.device;
    throw new NoDeviceError(this.#device.status === "none" ? this.#device.reason : "the GPU is still being opened");
  }

  /** Opens the first trainer. Resolves once the device is known. */
  open(): Promise<DeviceState> {
    this.#slots[0].open();
    return this.#opened.promise;
  }

  /** Those with a run. */
  get busy(): TrainerSlot[] {
    return this.#slots.filter(({ run }) => run !== null);
  }

  slotOf(runId: string): TrainerSlot | undefined {
    return this.#slots.find(({ run }) => run === runId);
  }

  /** A slot that may be given a run. Where there is none yet, one more trainer is opened: `onFree` says when. */
  findFree(): TrainerSlot | undefined {
    const free = this.#slots.find(({ isFree }) => isFree);
    const isOpening = this.#slots.some((slot) => slot.isOpen && slot.run === null);
    if (!free && !isOpening) {
      this.#slots.find((slot) => !slot.isOpen && slot.run === null && !this.#resting.has(slot))?.open();
    }
    return free;
  }

  /** Leaves a slot alone for a while, longer from attempt to attempt. */
  rest(slot: TrainerSlot, attempt: number, then: () => void = this.options.onFree): void {
    const ms = (this.options.settings.retryMs ?? retryMsOf)(attempt);
    if (ms === 0) return then();
    clearTimeout(this.#resting.get(slot));
    const timer = setTimeout(() => {
      this.#resting.delete(slot);
      then();
    }, ms);
    this.#resting.set(slot, timer);
  }

  /** Opens nothing by itself any more. */
  stop(): void {
    this.#stopped = true;
    for (const timer of this.#resting.values()) clearTimeout(timer);
  }

  /** Hears no trainer any more, and leaves them alone. */
  forget(): void {
    for (const slot of this.#slots) slot.forget();
  }

  #useDevice(device: DeviceInfo): void {
    this.#deviceAttempts = 0;
    // The first measure stands: a later one may have been taken beside a run.
    if (this.#device.status !== "ready") {
      const memoryBytes = device.memoryBytes ?? this.options.settings.gpuMemoryBytes;
      this.#setDevice({ status: "ready", device: { ...device, memoryBytes } });
    }
    this.options.onFree();
  }

  /** At start that is how it is; later, the device may come back. */
  #loseDevice(reason: string): void {
    const wasThere = this.#device.status === "ready" || this.#deviceAttempts > 0;
    this.options.log.error({ reason }, "no GPU");
    this.#setDevice({ status: "none", reason: withoutPaths(reason) });
    if (wasThere && !this.#stopped) this.rest(this.#slots[0], ++this.#deviceAttempts, () => this.#slots[0].open());
  }

  #setDevice(state: DeviceState): void {
    this.#device = state;
    this.#opened.resolve(state);
  }
}
