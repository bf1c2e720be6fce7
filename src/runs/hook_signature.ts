import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { Buffer } from "node:buffer";
import { Webhook, WebhookVerificationError } from "standardwebhooks";
import { BadRequestError, ProblemError } from "../errors.ts";

const MAX_DELIVERY_ID = 255;

export type HookScheme = "standard" | "github";

/** 401 */
export class SignatureError extends ProblemError {
  constructor(detail: string) {
    super(401, "Bad signature", detail);
  }
}

/** A new secret in the scheme's form: `whsec_` + base64 of 32 bytes, or for GitHub 64 hex digits used as they are. */
export function newHookSecret(scheme: HookScheme): string {
  return scheme === "standard" ? `whsec_${randomBytes(32).toString("base64")}` : randomBytes(32).toString("hex");
}

/**
 * Checks that the raw `body` was signed with `secret`, and answers the delivery's id.
 * @throws {SignatureError}, {BadRequestError} without a delivery id
 */
export function verifyDelivery(scheme: HookScheme, secret: string, headers: Headers, body: Uint8Array): string {
  return scheme === "standard" ? verifyStandard(secret, headers, body) : verifyGithub(secret, headers, body);
}

/** https://www.standardwebhooks.com: a signature over id, time and body, at most five minutes old. */
function verifyStandard(secret: string, headers: Headers, body: Uint8Array): string {
  const names = ["webhook-id", "webhook-timestamp", "webhook-signature"] as const;
  const missing = names.filter((name) => !headers.get(name));
  if (missing.length > 0) throw new SignatureError(`missing ${missing.join(", ")}`);
  const given = Object.fromEntries(names.map((name) => [name, headers.get(name) ?? ""]));
  try {
    new Webhook(secret).verify(Buffer.from(body), given, { jsonParse: false });
  } catch (error) {
    if (error instanceof WebhookVerificationError) throw new SignatureError(error.message);
    throw error;
  }
  return checkDeliveryId("webhook-id", given["webhook-id"]);
}

/** https://docs.github.com/webhooks: HMAC-SHA256 of the body, in hex. It carries no time: the delivery id stops replays. */
function verifyGithub(secret: string, headers: Headers, body: Uint8Array): string {
  const given = headers.get("x-hub-signature-256");
  if (!given) throw new SignatureError("missing X-Hub-Signature-256");
  const expected = `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  if (a.length !== b.length || !timingSafeEqual(a, b)) throw new SignatureError("no matching signature found");
  return checkDeliveryId("X-GitHub-Delivery", headers.get("x-github-delivery"));
}

/** Ids are kept for as long as their hook: a sender must not be able to fill the disk with them. */
function checkDeliveryId(header: string, id: string | null): string {
  if (!id) throw new BadRequestError(`missing ${header}`);
  if (id.length > MAX_DELIVERY_ID) {
    throw new BadRequestError(`${header} has ${id.length} characters; at most ${MAX_DELIVERY_ID} are accepted`);
  }
  return id;
}
