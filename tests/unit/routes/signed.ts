import { sign } from "@octokit/webhooks-methods";
import { Webhook } from "standardwebhooks";
import { Webhook as SvixWebhook } from "svix";
import type { Fixture } from "../runs/fixture.ts";
import { type Body, call } from "./http.ts";

export type HookAnswer = Body & { ignored: string; old_secret_expires_at: string | null };

/** The ways in which a delivery may differ. */
export interface Signed {
  secret: string;
  id?: string;
  event?: string | null;
  contentType?: string;
  headers?: Record<string, string>;
  name?: string;
}

/** Adds a hook, and answers it with its secret. */
export async function addHook(fixture: Fixture, body: object = {}): Promise<HookAnswer> {
  const hook = { name: "nightly", scheme: "github", run: { dataset: "sample", max_steps: 10 }, ...body };
  const answer = await call<HookAnswer>(fixture, "POST", "/api/hooks", hook);
  if (answer.status !== 201) throw new Error(`${answer.status} ${answer.text}`);
  return answer.body;
}

/** Delivers as GitHub does, signed by its own library. */
export async function github(fixture: Fixture, body: string, signed: Signed) {
  const { secret, id = "d-1", event = "push", contentType = "application/json", headers, name = "nightly" } = signed;
  return call<HookAnswer>(fixture, "POST", `/hooks/${name}`, body, {
    "content-type": contentType,
    ...(event !== null && { "x-github-event": event }),
    "x-github-delivery": id,
    "x-hub-signature-256": await sign(secret, body),
    ...headers,
  });
}

export const push = (ref: string, more = {}) => JSON.stringify({ ref, after: "1".repeat(40), ...more });

/** Delivers as Standard Webhooks, signed by the library that its authors publish. */
export function standard(fixture: Fixture, body: string, { secret, id = "msg_1", headers, name = "nightly" }: Signed) {
  const at = new Date();
  return call<HookAnswer>(fixture, "POST", `/hooks/${name}`, body, {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    "webhook-signature": new Webhook(secret).sign(id, at, body),
    ...headers,
  });
}

/** As Svix delivers, signed by its own library. */
export function svix(fixture: Fixture, body: string, { secret, id = "msg_1", name = "nightly" }: Signed) {
  const at = new Date();
  return call<HookAnswer>(fixture, "POST", `/hooks/${name}`, body, {
    "svix-id": id,
    "svix-timestamp": String(Math.floor(at.getTime() / 1000)),
    "svix-signature": new SvixWebhook(secret).sign(id, at, body),
  });
}
