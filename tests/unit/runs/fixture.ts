import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApp } from "#src/app.ts";
import { type Log, openLog } from "#src/log.ts";
import type { Clock } from "#src/runs/clock.ts";
import type { Points } from "#src/runs/curve.ts";
import type { MetricName } from "#src/runs/metric_store.ts";
import { openReverie, type Reverie } from "#src/runs/reverie.ts";
import type { RunnerSettings } from "#src/runs/runner.ts";
import { RunRequest, type RunRequestInput } from "#src/train/config.ts";
import { checked } from "../../support/checked_app.ts";
import { FAKE_DEVICE, FakeTrainer } from "./fake_trainer.ts";

/** 26 kB with 27 distinct characters. */
export const SAMPLE = Array.from({ length: 1000 }, (_, i) => "abcdefghijklmnopqrstuvwxyz".slice(i % 26) + " ").join("");

export async function* sampleText(): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(SAMPLE);
}

/** A service over a fake trainer in a folder of its own. */
export class Fixture {
  trainers: FakeTrainer[] = [];
  reverie!: Reverie;
  app!: ReturnType<typeof createApp>;
  /** What the next trainer says first, in place of naming its device. */
  nextReport: FixtureOptions["firstReport"] | null = null;
  readonly #dead: Reverie[] = [];

  private constructor(readonly folder: string, private readonly options: FixtureOptions) {}

  static async open(options: FixtureOptions = {}): Promise<Fixture> {
    const fixture = new Fixture(mkdtempSync(join(tmpdir(), "reverie-")), options);
    await fixture.boot();
    return fixture;
  }

  /** Opens the service; a second time, as after the process died without closing anything. */
  async boot(): Promise<void> {
    if (this.reverie) {
      this.reverie.runner.stopTimers();
      void this.reverie.keeper.close();
      this.#dead.push(this.reverie);
    }
    const { tokens = [], maxUploadBytes = 1 << 20, allowPrivateUrls = false, newClock } = this.options;
    const { firstReport, settings, log = openLog("silent") } = this.options;
    this.reverie = await openReverie({
      dataFolder: this.folder,
      tokens,
      secretKey: null,
      maxUploadBytes,
      concurrency: 1,
      maxQueued: 100,
      idleSeconds: 300,
      hangSeconds: 120,
      gpuMemoryBytes: null,
      retryMs: () => 0,
      storageLookMs: 50,
      ...settings,
      allowPrivateUrls,
      clock: newClock?.(),
      log,
      sampleText,
      openTrainer: () => {
        const trainer = new FakeTrainer();
        this.trainers.push(trainer);
        const report = this.nextReport ?? firstReport ?? { type: "device", device: FAKE_DEVICE };
        this.nextReport = null;
        queueMicrotask(() => trainer.report(report));
        return trainer;
      },
    });
    this.app = checked(createApp(this.reverie));
  }

  /** The trainer in use. */
  get trainer(): FakeTrainer {
    return this.trainers[this.trainers.length - 1];
  }

  /** Queues a small run and lets the trainer have it. */
  async run(body: Partial<RunRequestInput> = {}): Promise<string> {
    const run = this.reverie.runner.create(RunRequest.parse({ dataset: "sample", max_steps: 100, ...body }));
    await Promise.resolve();
    return run.id;
  }

  events(runId: string) {
    return this.reverie.events.list({ runId }, { after: null, limit: 1000, order: "asc" });
  }

  /** Every point of the named curves within a range of steps. */
  points(runId: string, names: MetricName[], fromStep: number, toStep: number): Map<MetricName, Points> {
    return new Map(names.map((name) => {
      const slices = [...this.reverie.metrics.curve(runId, name, fromStep, toStep).slices()];
      return [name, { steps: slices.flatMap(({ steps }) => steps), values: slices.flatMap(({ values }) => values) }];
    }));
  }

  async close(): Promise<void> {
    for (const trainer of this.trainers) trainer.obedient = true;
    await this.reverie.stop();
    this.reverie.close();
    for (const dead of this.#dead) dead.db.$client.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

interface FixtureOptions {
  tokens?: string[];
  maxUploadBytes?: number;
  settings?: Partial<RunnerSettings>;
  allowPrivateUrls?: boolean;
  /** A clock for each life of the service. */
  newClock?: () => Clock;
  log?: Log;
  firstReport?: Parameters<FakeTrainer["report"]>[0];
}
