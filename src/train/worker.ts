/// <reference lib="deno.worker" />
import { pinBackend } from "../gpu/backend.ts";
import { describeStorageError, isStorageError } from "../data/storage_error.ts";
import { Gpu, GpuError } from "../gpu/device.ts";
import { reportDevice } from "./device_report.ts";
import type { Command, DeviceInfo, Report } from "./protocol.ts";
import { RunControl } from "./run_control.ts";
import { trainRun } from "./run_loop.ts";

/** The Worker that owns the GPU: commands in, reports out, one run at a time. */

const post = (report: Report) => self.postMessage(report);

const ALIVE_MS = 1000;
setInterval(() => post({ type: "alive" }), ALIVE_MS);

const opening = open();
let current: { run_id: string; control: RunControl } | null = null;

self.onmessage = ({ data: command }: MessageEvent<Command>) => {
  switch (command.type) {
    case "start":
      void start(command);
      break;
    case "stop":
      if (current?.run_id === command.run_id) current.control.stop = command.reason;
      break;
    case "checkpoint":
      if (current?.run_id === command.run_id) current.control.requestCheckpoint();
      break;
  }
};

async function open(): Promise<{ gpu: Gpu; device: DeviceInfo } | null> {
  try {
    pinBackend();
    const gpu = await Gpu.open(navigator.gpu);
    const device = await reportDevice(gpu);
    post({ type: "device", device });
    return { gpu, device };
  } catch (error) {
    post({ type: "no_device", message: messageOf(error) });
    return null;
  }
}

async function start(command: Extract<Command, { type: "start" }>): Promise<void> {
  const { run_id } = command;
  const control = new RunControl(command.limits);
  current = { run_id, control };
  let step = 0;
  const follow = (report: Report) => {
    if (report.type === "started") step = report.step;
    if (report.type === "progress") step = report.points.at(-1)?.step ?? step;
    post(report);
  };
  const opened = await opening;
  try {
    if (!opened) throw new Error("there is no GPU to train on");
    const ended = await trainRun({ ...opened, command, control, post: follow });
    current = null;
    post(ended);
  } catch (error) {
    current = null;
    if (error instanceof GpuError || await opened?.gpu.isLost()) {
      // This Worker's device is not to be trusted any more: ending it gives the service a crash to recover from, with a
      // new Worker and a fresh device. What a lost device answers first says nothing of the loss.
      const cause = error instanceof GpuError ? error : new GpuError(`GPU lost: ${messageOf(error)}`);
      queueMicrotask(() => {
        throw cause;
      });
    } else if (isStorageError(error)) {
      post({ type: "ended", run_id, step, reason: "storage", error: describeStorageError(error) });
    } else {
      post({ type: "ended", run_id, step, reason: "failed", error: messageOf(error) });
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
