import type { Command, DeviceInfo, Report } from "../train/protocol.ts";
import type { RunReport } from "./reports.ts";
import type { TrainerPort } from "./trainer_port.ts";

export interface SlotOptions {
  openTrainer: () => TrainerPort;
  /** Silence after which a trainer without a run is taken for hung. */
  hangMs: number;
  /** Time without a run after which the trainer is closed, and the GPU's memory with it. */
  idleMs: number;
  onDevice(device: DeviceInfo): void;
  /** The trainer found no adapter, or ended before it had one. */
  onNoDevice(reason: string): void;
  onReport(slot: TrainerSlot, report: RunReport): void;
  /** It had no run for `idleMs` and is closed. */
  onIdle(): void;
  /** The trainer is gone, and what it worked on with it: `slot.run` until `release`. */
  onLost(slot: TrainerSlot, cause: Error): void;
}

type Start = Extract<Command, { type: "start" }>;

const TICK_MS = 1000;

/** A place to train in: a trainer that is opened when there is something to do, watched while it does, and closed after. */
export class TrainerSlot {
  /** Id of the run that the trainer works on. */
  run: string | null = null;
  #trainer: TrainerPort | null = null;
  #ready = false;
  #patienceMs: number;
  /** Ticks without a word. Counted, not timed: where this thread itself is held up, that is not the trainer's silence. */
  #silentTicks = 0;
  #watch: ReturnType<typeof setInterval> | undefined;
  #idle: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly options: SlotOptions) {
    this.#patienceMs = options.hangMs;
  }

  /** May be given a run. */
  get isFree(): boolean {
    return this.#ready && this.run === null;
  }

  get isOpen(): boolean {
    return this.#trainer !== null;
  }

  open(): void {
    const trainer = this.options.openTrainer();
    this.#trainer = trainer;
    this.#ready = false;
    this.#patienceMs = this.options.hangMs;
    this.#startWatch();
    trainer.onCrash((cause) => {
      if (trainer === this.#trainer) this.#lose(cause);
    });
    trainer.onReport((report) => {
      if (trainer !== this.#trainer) return;
      this.#silentTicks = 0;
      this.#hear(report);
    });
  }

  /** @param patienceMs silence after which the trainer is taken for hung: much more than a step takes */
  start(command: Start, patienceMs: number): void {
    clearTimeout(this.#idle);
    this.run = command.run_id;
    this.#patienceMs = patienceMs;
    this.#startWatch();
    this.post(command);
  }

  post(command: Command): void {
    this.#trainer?.post(command);
  }

  /** Its run is over. */
  release(): void {
    this.run = null;
    if (this.#trainer === null) return;
    this.#stopWatch();
    this.#idle = setTimeout(() => {
      this.close();
      this.options.onIdle();
    }, this.options.idleMs);
  }

  /** Ends the trainer at once, whatever it is doing. */
  close(): void {
    this.#trainer?.close();
    this.forget();
  }

  /** Hears the trainer no more, and leaves it alone. */
  forget(): void {
    this.#stopWatch();
    clearTimeout(this.#idle);
    this.#trainer = null;
    this.#ready = false;
  }

  #hear(report: Report): void {
    switch (report.type) {
      case "alive":
        break;
      case "device":
        this.#ready = true;
        this.release();
        this.options.onDevice(report.device);
        break;
      case "no_device":
        this.close();
        this.options.onNoDevice(report.message);
        break;
      default:
        this.options.onReport(this, report);
    }
  }

  #lose(cause: Error): void {
    const hadDevice = this.#ready;
    this.close();
    if (hadDevice) this.options.onLost(this, cause);
    else this.options.onNoDevice(`the trainer could not start: ${cause.message}`);
  }

  #startWatch(): void {
    this.#stopWatch();
    this.#silentTicks = 0;
    this.#watch = setInterval(() => {
      this.#silentTicks++;
      if (this.#silentTicks * TICK_MS <= this.#patienceMs) return;
      this.#lose(new Error(`the trainer hung: it said nothing for ${Math.round(this.#patienceMs / 1000)} s`));
    }, TICK_MS);
  }

  #stopWatch(): void {
    clearInterval(this.#watch);
  }
}
