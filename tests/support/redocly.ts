import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { ROOT } from "./deno.ts";

/** Redocly's lint of an OpenAPI document under redocly.yaml: one line for each fault. */
export async function lint(document: unknown): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "reverie-lint-"));
  try {
    const file = join(folder, "openapi.json");
    writeFileSync(file, JSON.stringify(document));
    const cli = join(ROOT, "node_modules/@redocly/cli/bin/cli.js");
    const child = Bun.spawn([process.execPath, cli, "lint", file, "--format=json", `--config=${ROOT}redocly.yaml`], {
      stdout: "pipe",
      stderr: "pipe",
      env: { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true", CI: "true" },
    });
    const [said, complaints] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    await child.exited;
    if (!said.startsWith("{")) throw new Error(`the linter failed: ${said}${complaints}`);
    const { problems } = JSON.parse(said) as {
      problems: { ruleId: string; message: string; location: { pointer?: string }[] }[];
    };
    return problems.map(({ ruleId, message, location }) => `${ruleId}: ${message} (${location[0]?.pointer})`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
