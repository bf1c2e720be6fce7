/**
 * Calls each URL of the arguments through the guard, every name resolved to 127.0.0.1, and prints what came of each as
 * JSON: a status, or an error's code or message. The first argument, `private` or `public`, says what is let through.
 */
import process from "node:process";
import { codeOf, Outbound } from "#src/runs/outbound.ts";

const [allowPrivate, ...urls] = process.argv.slice(2);
const outbound = new Outbound({
  allowPrivate: allowPrivate === "private",
  resolve: () => Promise.resolve(["127.0.0.1"]),
});
const outcomes: (number | string | undefined)[] = [];
for (const url of urls) {
  try {
    const signal = AbortSignal.timeout(10_000);
    const response = await outbound.request(url, { method: "POST", headers: {}, body: "{}", signal });
    response.resume();
    outcomes.push(response.statusCode);
  } catch (error) {
    outcomes.push(codeOf(error) ?? (error as Error).message);
  }
}
console.log(JSON.stringify(outcomes));
process.exit(0);
