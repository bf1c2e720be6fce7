import { z } from "@hono/zod-openapi";
import { MAX_OLD_SECRETS, MAX_OVERLAP_SECONDS } from "#src/runs/old_secrets.ts";
import { IdempotencyHeader, IdParam } from "./common.ts";

/** A new secret for a hook or a webhook: the same in both. */

export const Rotation = z.strictObject({
  overlap_seconds: z.int().min(0).max(MAX_OVERLAP_SECONDS).default(86_400).openapi({
    description: "How long the secret before stays valid; 0 ends it, and all before it, at once.",
  }),
}).openapi("Rotation", { description: "How a secret is exchanged for a new one." });

export const RotationFields = {
  secret: z.string().describe("The new secret; shown only here."),
  old_secret_expires_at: z.string().nullable().openapi({
    description: "Until when the secret before is valid; null if it no longer is.",
  }),
};

export function rotate(direction: "inbound" | "outbound") {
  const meanwhile = direction === "inbound"
    ? "deliveries may be signed with either"
    : "deliveries carry a signature by each, and a receiver takes any";
  return {
    operationId: direction === "inbound" ? "rotateHook" : "rotateWebhook",
    summary: `Give an ${direction} webhook a new secret`,
    description:
      `For \`overlap_seconds\` ${meanwhile}; then the old secret is forgotten. Rotating again meanwhile keeps ` +
      `the older ones too, up to ${MAX_OLD_SECRETS}, none of them longer than the one before the new.`,
    request: {
      params: IdParam,
      headers: IdempotencyHeader,
      body: { content: { "application/json": { schema: Rotation, example: { overlap_seconds: 86_400 } } } },
    },
  };
}
