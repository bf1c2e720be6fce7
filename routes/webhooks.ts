import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { DELIVERY_STATUSES, EVENT_TYPES } from "#src/db/schema.ts";
import { ATTEMPT_TIMEOUT_MS } from "#src/runs/webhook_attempt.ts";
import { RETRY_DELAYS_MS } from "#src/runs/webhook_retries.ts";
import { type Delivery, type Endpoint, KEPT_DAYS, KEPT_OF_AN_ENDPOINT } from "#src/runs/webhook_store.ts";
import {
  type AppEnv,
  createOnce,
  idCursor,
  IdempotencyHeader,
  IdParam,
  json,
  jsonBody,
  listOf,
  page,
  pageQuery,
  problems,
} from "./common.ts";
import type { Reverie } from "#src/runs/reverie.ts";
import { optionalJson } from "./json_input.ts";
import { rotate, Rotation, RotationFields } from "./rotation.ts";

const RETRY_DAYS = Math.round(RETRY_DELAYS_MS.reduce((sum, ms) => sum + ms, 0) / 86_400_000);

const Url = z.string().max(2000).refine((text) => URL.canParse(text), "an absolute URL").openapi({
  format: "uri",
  description: "https or http, without user name and password. Not of a private, loopback or link-local address.",
  example: "https://ci.example.com/reverie",
});

const Events = z.array(z.enum(EVENT_TYPES)).min(1).transform((types) => [...new Set(types)]).openapi({
  description: "Types of events to post.",
  example: ["run.succeeded", "run.failed"],
});

const Webhook = z.object({
  id: z.string().describe("`whe_` and a ULID."),
  url: z.string().describe("Where events are posted to."),
  events: z.array(z.enum(EVENT_TYPES)).describe("Types of events that are posted."),
  enabled: z.boolean().describe("Whether anything is posted."),
  disabled_reason: z.string().nullable().describe("Why nothing is posted; null while it is."),
  created_at: z.iso.datetime().describe("When it was added."),
}).openapi("Webhook", { description: "Another server to which events are posted." });

const DeliveryView = z.object({
  id: z.string().openapi({ description: "The `webhook-id` of every attempt." }),
  webhook_id: z.string().describe("The webhook whose delivery it is."),
  type: z.enum(["ping", ...EVENT_TYPES]).describe("Type of the event, or `ping`."),
  status: z.enum(DELIVERY_STATUSES).describe("`pending` while more attempts are made; then `succeeded` or `failed`."),
  attempts: z.int().describe("Attempts made."),
  next_attempt_at: z.iso.datetime().nullable().describe("When the next attempt is due; null once none is."),
  last_attempt_at: z.iso.datetime().nullable().describe("When it was last tried; null before the first attempt."),
  response_status: z.int().nullable().describe(
    "Status that the last attempt was answered with; null without an answer.",
  ),
  error: z.string().nullable().describe("Why the last attempt failed; null if it did not."),
  created_at: z.iso.datetime().describe("When the event happened."),
}).openapi("WebhookDelivery", { description: "One event for one webhook." });

const create = createRoute({
  method: "post",
  path: "/",
  operationId: "createWebhook",
  summary: "Add an outbound webhook",
  description:
    "Each event is POSTed as `{type, timestamp, data}`, signed as Standard Webhooks, at least once and in no " +
    "promised order; `data` is the event's, with `run_id` and `sequence`. What is not answered with a 2xx within " +
    `${
      ATTEMPT_TIMEOUT_MS / 1000
    } s is sent again, later and later, for ${RETRY_DAYS} days. A 410 disables the webhook.`,
  request: {
    headers: IdempotencyHeader,
    body: jsonBody(
      z.strictObject({ url: Url, events: Events }).openapi("WebhookRequest", { description: "A webhook to be." }),
      { url: "https://ci.example.com/reverie", events: ["run.succeeded", "run.failed"] },
    ),
  },
  responses: {
    201: json(
      z.object({ ...Webhook.shape, secret: z.string().describe("Signs what is posted; shown only here.") })
        .openapi("WebhookWithSecret", { description: "An outbound webhook with its secret." }),
      "Added; the secret is shown only here",
    ),
    ...problems(400, 401, 409, 413, 415, 422),
  },
});

const list = createRoute({
  method: "get",
  path: "/",
  operationId: "listWebhooks",
  summary: "Outbound webhooks, newest first",
  request: { query: pageQuery(idCursor("whe")) },
  responses: { 200: json(listOf(Webhook), "A page"), ...problems(400, 401) },
});

const get = createRoute({
  method: "get",
  path: "/{id}",
  operationId: "getWebhook",
  summary: "An outbound webhook",
  request: { params: IdParam },
  responses: { 200: json(Webhook, "The webhook, without its secret"), ...problems(401, 404) },
});

const patch = createRoute({
  method: "patch",
  path: "/{id}",
  operationId: "updateWebhook",
  summary: "Change an outbound webhook's URL or events, or disable or enable it",
  description: "Disabling fails the deliveries that wait; they can be redelivered once it is enabled again.",
  request: {
    params: IdParam,
    body: jsonBody(
      z.strictObject({
        url: Url.optional(),
        events: Events.optional(),
        enabled: z.boolean().optional().describe("Whether anything is posted."),
      }).openapi("WebhookChanges", { description: "What to change; the rest stays." }),
      { enabled: true },
    ),
  },
  responses: { 200: json(Webhook, "The webhook"), ...problems(400, 401, 404, 413, 415, 422) },
});

const remove = createRoute({
  method: "delete",
  path: "/{id}",
  operationId: "deleteWebhook",
  summary: "Delete an outbound webhook with its deliveries",
  request: { params: IdParam },
  responses: { 204: { description: "Deleted" }, ...problems(401, 404) },
});

const deliveries = createRoute({
  method: "get",
  path: "/{id}/deliveries",
  operationId: "listWebhookDeliveries",
  summary: "A webhook's deliveries, newest first",
  description: `Those that are done with are kept for ${KEPT_DAYS} days, and the newest ${KEPT_OF_AN_ENDPOINT}.`,
  request: { params: IdParam, query: pageQuery(idCursor("msg")) },
  responses: { 200: json(listOf(DeliveryView), "A page"), ...problems(400, 401, 404) },
});

const redeliver = createRoute({
  method: "post",
  path: "/{id}/deliveries/{delivery_id}/redeliver",
  operationId: "redeliverWebhook",
  summary: "Send a delivery again at once, whatever became of it",
  request: { params: IdParam.extend({ delivery_id: z.string().min(1).max(200).describe("Id of the delivery.") }) },
  responses: { 202: json(DeliveryView, "Due"), ...problems(401, 404, 409) },
});

const rotateSecret = createRoute({
  method: "post",
  path: "/{id}/rotate",
  ...rotate("outbound"),
  responses: {
    200: json(
      z.object({ ...Webhook.shape, ...RotationFields }).openapi("RotatedWebhook", {
        description: "An outbound webhook with its new secret.",
      }),
      "Rotated; the new secret is shown only here",
    ),
    ...problems(400, 401, 404, 409, 413, 415, 422),
  },
});

const ping = createRoute({
  method: "post",
  path: "/{id}/ping",
  operationId: "pingWebhook",
  summary: "Send a message of type `ping`",
  request: { params: IdParam, headers: IdempotencyHeader },
  responses: { 202: json(DeliveryView, "Due"), ...problems(401, 404, 409, 422) },
});

/** `/api/webhooks` */
export function webhookRoutes(reverie: Reverie) {
  const { webhooks, deliverer } = reverie;
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(create, async (c) => {
    const { url, events } = c.req.valid("json");
    const { body } = await createOnce(c, reverie, () => {
      const { endpoint, secret } = webhooks.create(url, events);
      return { status: 201, body: { ...show(endpoint), secret } };
    });
    c.header("location", `/api/webhooks/${body.id}`);
    return c.json(body, 201);
  });

  app.openapi(list, (c) => {
    const { limit, after = null } = c.req.valid("query");
    return c.json(page(webhooks.list({ after, limit: limit + 1 }), limit, show, ({ id }) => id), 200);
  });

  app.openapi(get, (c) => c.json(show(webhooks.get(c.req.valid("param").id)), 200));

  app.openapi(patch, (c) => c.json(show(webhooks.update(c.req.valid("param").id, c.req.valid("json"))), 200));

  app.openapi(remove, (c) => {
    webhooks.remove(c.req.valid("param").id);
    return c.body(null, 204);
  });

  app.openapi(deliveries, (c) => {
    const { limit, after = null } = c.req.valid("query");
    const rows = webhooks.deliveries(c.req.valid("param").id, { after, limit: limit + 1 });
    return c.json(page(rows, limit, showDelivery, ({ id }) => id), 200);
  });

  app.openapi(redeliver, (c) => {
    const { id, delivery_id } = c.req.valid("param");
    const delivery = webhooks.redeliver(id, delivery_id);
    deliverer.wake();
    c.header("location", `/api/webhooks/${id}/deliveries`);
    return c.json(showDelivery(delivery), 202);
  });

  app.openapi(rotateSecret, async (c) => {
    const { id } = c.req.valid("param");
    const { overlap_seconds } = optionalJson(c, Rotation, c.req.valid("json"));
    const { body } = await createOnce(c, reverie, () => {
      const { endpoint, secret, oldSecretExpiresAt } = webhooks.rotate(id, overlap_seconds);
      return { status: 200, body: { ...show(endpoint), secret, old_secret_expires_at: oldSecretExpiresAt } };
    });
    return c.json(body, 200);
  });

  app.openapi(ping, async (c) => {
    const { id } = c.req.valid("param");
    const { body } = await createOnce(c, reverie, () => ({ status: 202, body: showDelivery(webhooks.ping(id)) }));
    deliverer.wake();
    c.header("location", `/api/webhooks/${id}/deliveries`);
    return c.json(body, 202);
  });

  return app;
}

function show({ id, url, events, disabled_reason, created_at }: Endpoint): z.output<typeof Webhook> {
  return { id, url, events, enabled: disabled_reason === null, disabled_reason, created_at };
}

function showDelivery({ body: _, type, ...delivery }: Delivery) {
  return { ...delivery, type: type as z.output<typeof DeliveryView>["type"] };
}
