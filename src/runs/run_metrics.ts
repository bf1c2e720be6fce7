import { count } from "drizzle-orm";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { DELIVERY_STATUSES, RUN_STATUSES, runs as runsTable, webhook_deliveries } from "../db/schema.ts";
import { trainingBytes } from "./admission.ts";
import type { MetricName } from "./metric_store.ts";
import type { Reverie } from "./reverie.ts";

/**
 * What Prometheus hears of the runs. States are read from the database when it asks, so they are right after a restart
 * too; what is trained is counted as it is reported. Only runs that train have labels of their own: a server of a
 * thousand finished runs has no more series than one of none.
 */
export function registerRunMetrics(registry: Registry, { db, events, runs, runner }: Reverie): void {
  const registers = [registry];

  new Gauge({
    name: "reverie_runs",
    help: "Runs by status.",
    labelNames: ["status"],
    registers,
    collect() {
      const rows = db.select({ status: runsTable.status, n: count() }).from(runsTable).groupBy(runsTable.status).all();
      for (const status of RUN_STATUSES) this.set({ status }, rows.find((row) => row.status === status)?.n ?? 0);
    },
  });
  new Gauge({
    name: "reverie_queue_length",
    help: "Runs that wait for their turn to train.",
    registers,
    collect() {
      this.set(runs.queueLength());
    },
  });
  const ofRunning = (name: string, help: string, metric: MetricName) =>
    new Gauge({
      name,
      help,
      labelNames: ["run_id"],
      registers,
      collect() {
        this.reset();
        for (const { id, last_metrics } of runs.withStatus("running")) {
          const value = last_metrics?.[metric];
          if (value != null) this.set({ run_id: id }, value);
        }
      },
    });
  ofRunning("reverie_run_loss", "The newest training loss of each run that trains, in nats per token.", "train/loss");
  ofRunning("reverie_run_tokens_per_second", "The speed of each run that trains.", "train/tokens_per_second");
  new Gauge({
    name: "reverie_gpu_memory_planned_bytes",
    help: "What the runs that train take of the device by their plan: WebGPU tells no one what is in use.",
    registers,
    collect() {
      const device = runner.device.status === "ready" ? runner.device.device : null;
      const planned = runs.withStatus("running").map(({ config }) => trainingBytes(config, device));
      this.set(planned.reduce((sum, bytes) => sum + bytes, 0));
    },
  });
  new Gauge({
    name: "reverie_webhook_deliveries",
    help: "Deliveries to webhooks by status.",
    labelNames: ["status"],
    registers,
    collect() {
      const { status } = webhook_deliveries;
      const rows = db.select({ status, n: count() }).from(webhook_deliveries).groupBy(status).all();
      for (const status of DELIVERY_STATUSES) this.set({ status }, rows.find((row) => row.status === status)?.n ?? 0);
    },
  });
  new Gauge({
    name: "reverie_sse_clients",
    help: "Event streams that are open.",
    registers,
    collect() {
      this.set(events.followers);
    },
  });

  const steps = new Counter({ name: "reverie_steps_total", help: "Optimizer steps trained.", registers });
  const tokens = new Counter({ name: "reverie_tokens_total", help: "Tokens trained on.", registers });
  const checkpointBytes = new Histogram({
    name: "reverie_checkpoint_bytes",
    help: "Sizes of the checkpoints written.",
    buckets: [1e5, 1e6, 1e7, 1e8, 1e9, 1e10],
    registers,
  });
  const checkpointSeconds = new Histogram({
    name: "reverie_checkpoint_write_seconds",
    help: "How long checkpoints took to write.",
    buckets: [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100],
    registers,
  });
  events.onAppend(({ type, run_id, data }) => {
    if (run_id !== null && type === "run.progress" && Array.isArray(data.points)) {
      const { context_length, batch_size, gradient_accumulation_steps } = runs.get(run_id).config;
      steps.inc(data.points.length);
      tokens.inc(data.points.length * context_length * batch_size * gradient_accumulation_steps);
    }
    if (type !== "run.checkpointed") return;
    if (typeof data.bytes === "number") checkpointBytes.observe(data.bytes);
    if (typeof data.elapsed_ms === "number") checkpointSeconds.observe(data.elapsed_ms / 1000);
  });
}
