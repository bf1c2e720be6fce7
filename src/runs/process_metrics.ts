import process from "node:process";
import { Counter, Gauge, type Registry } from "prom-client";

const LAG_EVERY_MS = 500;

/**
 * Of the process, under the names that Prometheus' clients share. prom-client's own read /proc, which the serve task does
 * not allow, and Deno's `monitorEventLoopDelay`, which said 0.01 ms of a loop that had stood still for 150 ms.
 */
export function registerProcessMetrics(registry: Registry): void {
  const registers = [registry];
  let lagMs = 0;
  let due = performance.now() + LAG_EVERY_MS;
  setInterval(() => {
    const now = performance.now();
    lagMs = Math.max(lagMs, now - due);
    due = now + LAG_EVERY_MS;
  }, LAG_EVERY_MS).unref();

  new Gauge({
    name: "reverie_event_loop_lag_seconds",
    help: "By how much a timer was late at most since the last scrape.",
    registers,
    collect() {
      this.set(lagMs / 1000);
      lagMs = 0;
    },
  });
  new Gauge({
    name: "process_resident_memory_bytes",
    help: "Resident memory size in bytes.",
    registers,
    collect() {
      this.set(process.memoryUsage().rss);
    },
  });
  new Gauge({
    name: "nodejs_heap_size_used_bytes",
    help: "Process heap size used in bytes.",
    registers,
    collect() {
      this.set(process.memoryUsage().heapUsed);
    },
  });
  new Counter({
    name: "process_cpu_seconds_total",
    help: "Total user and system CPU time spent in seconds.",
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  new Gauge({ name: "process_start_time_seconds", help: "Start time since the epoch.", registers })
    .set(performance.timeOrigin / 1000);
}
