/** Run under the serve task's flags: tries what the server may and what it may not, and prints how each went. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

const [data, outside] = process.argv.slice(2);

const TRIES: Record<string, () => unknown> = {
  "write in the data folder": () => writeFileSync(join(data, "probe"), "x"),
  "read in the data folder": () => readFileSync(join(data, "probe")),
  "read its own code": () => readFileSync("src/main.ts"),
  "read REVERIE_DATA": () => process.env.REVERIE_DATA,
  "read /etc/passwd": () => readFileSync("/etc/passwd"),
  "read the checkout's history": () => readFileSync(".git"),
  "read beside the data folder": () => readFileSync(outside),
  "write beside the data folder": () => writeFileSync(outside, "x"),
  "write by a path that climbs out": () => writeFileSync(join(data, "..", "outside"), "x"),
  "make a link that leads out": () => symlinkSync(outside, join(data, "link")),
  "write beside its own code": () => writeFileSync("src/permission_probe.tmp", "x"),
  "start a process": () => once(spawn("/bin/true", [], { env: {} }), "exit"),
  "read another variable": () => process.env.HOME,
  "list the variables": () => Object.keys(process.env),
  "load a library": () => process.dlopen({ exports: {} }, "/lib/x86_64-linux-gnu/libm.so.6"),
};

const outcomes: Record<string, string> = {};
for (const [name, attempt] of Object.entries(TRIES)) outcomes[name] = await outcomeOf(attempt);
for (const host of ["169.254.169.254", "[fd00:ec2::254]", "[::ffff:169.254.169.254]"]) {
  outcomes[`fetch from ${host}`] = await outcomeOf(() =>
    fetch(`http://${host}/`, { signal: AbortSignal.timeout(5000) })
  );
}
outcomes["import from elsewhere"] = await outcomeOf(() => import(`https://deno.land/${"x"}/none.ts`));
console.log(JSON.stringify(outcomes));

async function outcomeOf(attempt: () => unknown): Promise<string> {
  try {
    await attempt();
    return "done";
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
}
