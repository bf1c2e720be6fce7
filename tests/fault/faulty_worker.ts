/** The trainer's Worker, with the next fault of its data folder's plan in its WebGPU. */
import { openSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { type Fault, FaultPlan, FIFO } from "./faults.ts";

const dataFolder = process.env.REVERIE_DATA!;
const plan = new FaultPlan(dataFolder);
let device: GPUDevice;
let submits = 0;
let struck: Fault | null = null;

// What opening the GPU submits is not counted.
let started = false;
self.addEventListener("message", ({ data }) => {
  started ||= data.type === "start";
});

let checkpoints = 0;
const { postMessage } = self;
self.postMessage = (report: { type: string }) => {
  if (report.type === "checkpointed") {
    checkpoints++;
    submits = 0;
  }
  postMessage.call(self, report);
};

const { requestDevice } = GPUAdapter.prototype;
GPUAdapter.prototype.requestDevice = async function (...args) {
  return device = await requestDevice.apply(this, args);
};

const { submit } = GPUQueue.prototype;
GPUQueue.prototype.submit = function (...args) {
  const [fault, ...rest] = plan.left;
  submits++;
  const isDue = fault !== undefined && checkpoints >= fault.checkpoints && submits >= fault.submit;
  if (started && struck === null && isDue) {
    plan.left = rest;
    strike(struck = fault);
  }
  return submit.apply(this, args);
};

const { pushErrorScope, popErrorScope } = GPUDevice.prototype;
const scopes: GPUErrorFilter[] = [];
GPUDevice.prototype.pushErrorScope = function (filter) {
  scopes.push(filter);
  return pushErrorScope.call(this, filter);
};
GPUDevice.prototype.popErrorScope = async function () {
  const filter = scopes.pop();
  const error = await popErrorScope.call(this);
  const [fault, ...rest] = plan.left;
  if (filter !== "out-of-memory" || !started || struck !== null || fault?.kind !== "out of memory") return error;
  plan.left = rest;
  struck = fault;
  return new GPUOutOfMemoryError("Not enough memory left.");
};

function strike({ kind }: Fault): void {
  switch (kind) {
    case "hang":
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      break;
    case "hang in a call":
      openSync(join(dataFolder, FIFO), "r");
      break;
    case "device lost":
      device.destroy();
      break;
    case "out of memory":
      throw new Error("it strikes at an allocation");
    case "out of memory late": {
      const error = new GPUOutOfMemoryError("Not enough memory left.");
      device.dispatchEvent(new GPUUncapturedErrorEvent("uncapturederror", { error }));
      break;
    }
    case "throw":
      queueMicrotask(() => {
        throw new Error("thrown where nobody catches");
      });
      break;
    case "close":
      self.close();
      break;
  }
}

// Not by name, and after the patches: see faulty_server.ts.
await import(new URL("../../src/train/worker.ts", import.meta.url).href);
