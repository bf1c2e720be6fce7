/**
 * Makes the machine ready before the real program starts: a WebGPU adapter that computes. npm's packages are Deno's to
 * install; on Linux the Vulkan driver may be missing. Prints to stderr, exits 1 with what to do where it cannot go on.
 */
import { existsSync } from "node:fs";
import { refuseOldDeno } from "../src/deno_version.ts";
import type { Probe } from "./adapter_probe.ts";
import { readDataFolder } from "./data_folder.ts";
import { remedyFor } from "./vulkan_driver.ts";

export class SetupError extends Error {
  override name = "SetupError";
}

/** Containers often get a card's CUDA half alone. */
const NVIDIA_WITHOUT_VULKAN = "Reverie: nvidia-smi is here, but no NVIDIA card answers through Vulkan. " +
  "Install the driver's graphics part, or start the container with NVIDIA_DRIVER_CAPABILITIES=all.";

/**
 * Returns when a WebGPU adapter answers; installs a Vulkan driver as root on Debian and its like. A Worker stays behind
 * that keeps the process alive: end it with `Deno.exit`.
 * @throws SetupError with the command that the user has to run
 */
export async function prepareAdapter(): Promise<void> {
  refuseOldDeno();
  let probe = await probeAdapter();
  if (probe.type === "none" && Deno.build.os === "linux") {
    await installDriver();
    probe = await probeAdapter();
  }
  if (probe.type === "none") {
    throw new SetupError(
      "Reverie: no WebGPU adapter answers. On Linux a Vulkan driver is needed and VK_DRIVER_FILES, if set, must name one.",
    );
  }
  const { name, software } = probe.adapter;
  if (probe.type === "wrong") {
    throw new SetupError(`Reverie: the adapter ${name} miscalculates (${probe.message}); its driver needs an update.`);
  }
  console.error(`GPU: ${name}${software ? " (software)" : ""}`);
  if (software && existsSync("/usr/bin/nvidia-smi")) console.error(NVIDIA_WITHOUT_VULKAN);
}

/** The Worker is left to the process's end: one terminated just before it crashes one exit in twenty (SIGSEGV). */
function probeAdapter(): Promise<Probe> {
  const worker = new Worker(import.meta.resolve("./adapter_probe.ts"), { type: "module" });
  return new Promise<Probe>((resolve, reject) => {
    worker.onmessage = (event: MessageEvent<Probe>) => resolve(event.data);
    worker.onerror = (event) => {
      event.preventDefault(); // else it ends this process before the message is seen
      reject(new Error(`the adapter probe failed: ${event.message}`));
    };
  });
}

async function installDriver(): Promise<void> {
  const osRelease = existsSync("/etc/os-release") ? await Deno.readTextFile("/etc/os-release") : "";
  const remedy = remedyFor({ isRoot: Deno.uid() === 0, osRelease });
  if (remedy.type === "ask") throw new SetupError(remedy.message);
  console.error(`Reverie: no Vulkan driver answers; installing ${remedy.packages.join(" and ")} with apt-get.`);
  await aptGet(["update"]);
  await aptGet(["install", "-y", "--no-install-recommends", ...remedy.packages]);
}

async function aptGet(args: string[]): Promise<void> {
  const { code, stdout, stderr } = await new Deno.Command("apt-get", {
    args,
    env: { DEBIAN_FRONTEND: "noninteractive" },
    stdin: "null",
  }).output();
  if (code === 0) return;
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  throw new SetupError(`Reverie: apt-get ${args.join(" ")} failed with ${code}:\n${said.trimEnd()}`);
}

if (import.meta.main) {
  readDataFolder(); // here a bad one stops the serve task; in the task's command it would not
  try {
    await prepareAdapter();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(error.message);
    Deno.exit(1);
  }
  Deno.exit(0); // the probe's Worker would go on waiting
}
