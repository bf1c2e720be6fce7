import { readFileSync } from "node:fs";
import type { RunningServer } from "./server.ts";

export interface Gap {
  /** On the clock, which other processes of a busy machine stretch. */
  ms: number;
  /** The time that the server's main thread worked meanwhile: how long the request would have waited on a quiet machine. */
  workMs: number;
}

/** Asks a server for `/healthz` again and again until `work` is over. @returns the longest of each between two answers */
export async function longestGap(server: RunningServer, work: Promise<unknown>): Promise<Gap> {
  let isOver = false;
  const settle = () => {
    isOver = true;
  };
  work.then(settle, settle);
  const longest = { ms: 0, workMs: 0 };
  for (let before = sample(server); !isOver;) {
    const response = await fetch(`${server.url}/healthz`);
    await response.arrayBuffer();
    if (!response.ok) throw new Error(`/healthz answered ${response.status}`);
    const after = sample(server);
    longest.ms = Math.max(longest.ms, after.ms - before.ms);
    longest.workMs = Math.max(longest.workMs, after.workMs - before.workMs);
    before = after;
  }
  return longest;
}

/** The first number of Linux's schedstat is a thread's time on a processor, in ns; a process's is its main thread's. */
function sample({ pid }: RunningServer): Gap {
  const workNs = Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]);
  return { ms: performance.now(), workMs: workNs / 1e6 };
}
