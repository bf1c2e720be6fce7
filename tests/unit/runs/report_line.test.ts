import { expect, test } from "bun:test";
import { openLog } from "#src/log.ts";
import type { MetricStore } from "#src/runs/metric_store.ts";
import { ReportLine } from "#src/runs/report_line.ts";
import type { RunReport } from "#src/runs/reports.ts";
import type { TrainerSlot } from "#src/runs/trainer_slot.ts";

const slot = { run: "run_1" } as TrainerSlot;
const started = { type: "started", run_id: "run_1", step: 10 } as RunReport;
const progress = { type: "progress", run_id: "run_1" } as RunReport;

function open(metrics: Pick<MetricStore, "hasManyAfter" | "removeSliceAfter">) {
  const taken: string[] = [];
  const all = Promise.withResolvers<void>();
  const line = new ReportLine({
    metrics: metrics as MetricStore,
    log: openLog("silent"),
    isOurs: () => true,
    take: (_, { type }) => {
      taken.push(type);
      if (taken.length === 2) all.resolve();
    },
  });
  return { line, taken, all: all.promise };
}

test("a start waits for void points, and what follows it waits too", async () => {
  let slices = 3;
  const { line, taken, all } = open({ hasManyAfter: () => true, removeSliceAfter: () => --slices > 0 });
  line.receive(slot, started);
  line.receive(slot, progress);
  expect(taken).toEqual([]);
  await all;
  expect(taken).toEqual(["started", "progress"]);
  expect(slices).toBe(0);
});

test("a database that cannot be read now ends nothing: the start is taken at once", () => {
  const fail = () => {
    throw new Error("database is locked");
  };
  const { line, taken } = open({ hasManyAfter: fail, removeSliceAfter: fail });
  line.receive(slot, started);
  line.receive(slot, progress);
  expect(taken).toEqual(["started", "progress"]);
});
