import { expect, test } from "bun:test";
import { type ApiDocument, operationsOf } from "#routes/openapi.ts";
import { waitFor } from "../../support/wait_for.ts";
import { Fixture } from "../runs/fixture.ts";
import { call } from "./http.ts";

/** People who try an operation send its example first. */

const create = async (fixture: Fixture, path: string, body: object) =>
  (await call(fixture, "POST", path, body)).body.id;
const createWebhook = (fixture: Fixture) =>
  create(fixture, "/api/webhooks", { url: "https://example.com/", events: ["run.failed"] });

/** An id for the path's own parameter, of a thing for which the operation means something. */
const THING: Record<string, (fixture: Fixture) => Promise<string>> = {
  "/api/runs/{id}": (fixture) => fixture.run(),
  "/api/runs/{id}/steps": (fixture) => fixture.run({ drive: "invoke" }),
  "/api/hooks/{id}/rotate": (fixture) => create(fixture, "/api/hooks", { name: "rotated", run: { dataset: "sample" } }),
  "/api/webhooks/{id}": createWebhook,
  "/api/webhooks/{id}/rotate": createWebhook,
};

test("every example of a body is accepted", async () => {
  const reader = await Fixture.open();
  const document = (await call<ApiDocument>(reader, "GET", "/openapi.json")).body;
  await reader.close();
  const tried: string[] = [];
  for (const { path, method, operation } of operationsOf(document)) {
    const { requestBody, operationId = "" } = operation;
    // A delivery to a hook is the sender's, and signed.
    if (!requestBody || !("content" in requestBody) || operationId === "deliverToHook") continue;
    for (const [type, { example }] of Object.entries(requestBody.content)) {
      const fixture = await Fixture.open();
      try {
        const id = await THING[path]?.(fixture) ?? "";
        const url = path.replace("{id}", id) + (operationId === "uploadDataset" ? "?name=shakespeare" : "");
        const body = type === "application/json" ? JSON.stringify(example) : example;
        const asked = call(fixture, method.toUpperCase(), url, body, { "content-type": type });
        if (operationId === "runSteps") await takeStep(fixture);
        const { status, text } = await asked;
        expect([operationId, status < 300 ? "accepted" : text]).toEqual([operationId, "accepted"]);
        tried.push(operationId);
      } finally {
        await fixture.close();
      }
    }
  }
  expect(tried.length).toBeGreaterThan(9);
}, 60_000);

/** Answers the call as a trainer does. */
async function takeStep(fixture: Fixture): Promise<void> {
  await waitFor("the trainer's start", () => fixture.trainer?.commands.some(({ type }) => type === "start"));
  fixture.trainer.started();
  fixture.trainer.ended("yielded", 1);
}
