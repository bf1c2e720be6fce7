import process from "node:process";

/**
 * The check of Deno's version. It loads no file of ours, and entry points load nothing else before it has run: an older
 * Deno fails at the files that come after, with a stack that does not name the remedy.
 */

/** 2.7 refuses `import … with { type: "text" }`, and its timers have no `unref`; 2.8.0 serves. */
const NEEDED = [2, 8] as const;
/** The version that tests run on, and that the README's commands pin. */
const TESTED = "2.9.6";

/** Why this version is not enough; null if it is. */
export function whyTooOld(version: string): string | null {
  const [major, minor] = version.split(".").map(Number);
  if (major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1])) return null;
  return `Reverie needs Deno ${NEEDED.join(".")} or newer, and this is Deno ${version}: ` +
    `run \`npx -y deno@${TESTED} task serve\`, or \`deno upgrade\``;
}

/** Ends the process with a line if this Deno is too old. */
export function refuseOldDeno(): void {
  const why = whyTooOld(process.versions.deno ?? "of an unknown version");
  if (why === null) return;
  console.error(why);
  process.exit(1);
}
