/** What Linux says of a process; times in seconds of CPU, user and system together. */

/** `getconf CLK_TCK`: it has been 100 on every Linux that Deno runs on. */
const TICKS_PER_SECOND = 100;

export function cpuSeconds(pid: number): number {
  return seconds(`/proc/${pid}/stat`);
}

/** Of the thread that a process began with: in a server under Deno, the one that answers requests. */
export function mainThreadSeconds(pid: number): number {
  return seconds(`/proc/${pid}/task/${pid}/stat`);
}

export function residentKib(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]);
}

function seconds(path: string): number {
  // The name in parentheses may hold anything; user time is the 12th field after it, system time the 13th.
  const fields = Deno.readTextFileSync(path).split(") ").at(-1)!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
