import { mkdirSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { TrainerPort } from "#src/runs/trainer_port.ts";
import type { Command, DeviceInfo, EndReason, Report, StepPoint, TuningReport } from "#src/train/protocol.ts";

export const FAKE_DEVICE: DeviceInfo = {
  name: "fake adapter",
  vendor: "tests",
  architecture: "none",
  driver: "0",
  software: true,
  features: [],
  limits: { maxStorageBufferBindingSize: 2 ** 27, maxBufferSize: 2 ** 31 },
  memoryBytes: 2 ** 33,
  measured: { gflops: 100, gigabytesPerSecond: 25 },
};

/** Nothing was timed. */
export const NO_TUNING: TuningReport = { candidates_timed: 0, elapsed_ms: 0, choices: [], note: null };

type Start = Extract<Command, { type: "start" }>;

/** A trainer whose every report is the test's to make; it writes real checkpoint folders. */
export class FakeTrainer implements TrainerPort {
  readonly commands: Command[] = [];
  closed = false;
  /** Answers every `stop` by itself. */
  obedient = false;
  #report: (report: Report) => void = () => {};
  #crash: (cause: Error) => void = () => {};

  post(command: Command): void {
    this.commands.push(command);
    if (this.obedient && command.type === "stop") queueMicrotask(() => this.ended(command.reason, 0));
  }

  onReport(listener: (report: Report) => void): void {
    this.#report = listener;
  }

  onCrash(listener: (cause: Error) => void): void {
    this.#crash = listener;
  }

  close(): void {
    this.closed = true;
  }

  report(report: Report): void {
    this.#report(report);
  }

  crash(message = "lost the device"): void {
    this.#crash(new Error(message));
  }

  /** The newest `start`. */
  get start(): Start {
    const start = this.commands.filter((command) => command.type === "start").at(-1);
    if (!start) throw new Error("the trainer was given no run");
    return start;
  }

  started(step = 0, tuning = NO_TUNING): void {
    const { run_id } = this.start;
    this.report({ type: "started", run_id, step, parameters: 1234, epoch: 0, tokens_seen: 0, tuning });
  }

  /** Steps `from`…`to` in one report; the loss of step k is `loss(k)`. */
  progress(from: number, to: number, loss: (step: number) => number = (step) => 4 - step / 100): void {
    const points: StepPoint[] = [];
    for (let step = from; step <= to; step++) {
      points.push({
        step,
        loss: loss(step),
        lr: 1e-3,
        grad_norm: 1,
        tokens_per_second: 1000,
        step_ms: 10,
        mfu: 0.5,
        epoch: step / 10,
      });
    }
    const { run_id } = this.start;
    this.report({ type: "progress", run_id, points, tokens_seen: to * 768, eta_seconds: 12.5, skipped_steps: 0 });
  }

  evaluated(step: number, val_loss: number): void {
    const { run_id } = this.start;
    this.report({
      type: "evaluated",
      run_id,
      step,
      val_loss,
      val_perplexity: Math.exp(val_loss),
      val_bpb: val_loss / 0.69,
    });
  }

  checkpointed(
    step: number,
    val_loss: number | null = null,
    { directory = `step-${step}`, resume_only = false } = {},
  ): void {
    const { run_id, files } = this.start;
    const folder = join(files.checkpoints, directory);
    mkdirSync(folder, { recursive: true });
    const written = Object.entries({ "model.safetensors": `weights of step ${step}`, "config.json": "{}" });
    this.report({
      type: "checkpointed",
      run_id,
      step,
      directory,
      train_loss: null,
      val_loss,
      resume_only,
      elapsed_ms: 5,
      files: written.map(([name, text]) => {
        writeFileSync(join(folder, name), text);
        return { name, bytes: text.length, sha256: createHash("sha256").update(text).digest("hex") };
      }),
    });
  }

  ended(reason: EndReason, step: number, error?: string): void {
    this.report({ type: "ended", run_id: this.start.run_id, step, reason, error });
  }
}
