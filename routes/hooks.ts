import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { RunRequest } from "#src/train/config.ts";
import { verifyDelivery } from "#src/runs/hook_signature.ts";
import type { Hook } from "#src/runs/hooks.ts";
import { isJsonPath, isTargetPath } from "#src/runs/json_path.ts";
import type { AuthAttempts } from "./auth_attempts.ts";
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
import { parseJson } from "./json_input.ts";

const HookName = z.string().regex(/^[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?$/i, "letters, digits, - and _, at most 64");

const HookBody = z.strictObject({
  name: HookName,
  scheme: z.enum(["standard", "github"]).default("standard"),
  run: z.record(z.string(), z.unknown()).openapi({ description: "A run's body; what `map` fills in may be missing." }),
  map: z.record(
    z.string().refine(isTargetPath, "a field of the run's body, such as optimizer.learning_rate"),
    z.string().refine(isJsonPath, "a path into the delivery, such as $.inputs.files[0]"),
  ).default({}),
}).superRefine(({ run }, context) => {
  const parsed = RunRequest.partial({ dataset: true }).safeParse(run);
  for (const { path, message } of parsed.error?.issues ?? []) {
    context.addIssue({ code: "custom", path: ["run", ...path], message });
  }
}).openapi("HookRequest");

const HookView = z.object({
  id: z.string(),
  name: z.string(),
  scheme: z.enum(["standard", "github"]),
  url: z.string().openapi({ example: "/hooks/nightly" }),
  run: z.record(z.string(), z.unknown()),
  map: z.record(z.string(), z.string()),
  created_at: z.string(),
}).openapi("Hook");

const create = createRoute({
  method: "post",
  path: "/",
  operationId: "createHook",
  summary: "Add an inbound webhook",
  request: { headers: IdempotencyHeader, body: jsonBody(HookBody) },
  responses: {
    201: json(
      HookView.extend({ secret: z.string() }).openapi("HookWithSecret"),
      "Added; the secret is shown only here",
    ),
    ...problems(400, 401, 409, 413, 415, 422),
  },
});

const list = createRoute({
  method: "get",
  path: "/",
  operationId: "listHooks",
  summary: "Inbound webhooks, newest first",
  request: { query: pageQuery(idCursor("hook")) },
  responses: { 200: json(listOf(HookView), "A page"), ...problems(400, 401) },
});

const get = createRoute({
  method: "get",
  path: "/{id}",
  operationId: "getHook",
  summary: "An inbound webhook",
  request: { params: IdParam },
  responses: { 200: json(HookView, "The hook, without its secret"), ...problems(401, 404) },
});

const remove = createRoute({
  method: "delete",
  path: "/{id}",
  operationId: "deleteHook",
  summary: "Delete an inbound webhook",
  request: { params: IdParam },
  responses: { 204: { description: "Deleted" }, ...problems(401, 404) },
});

const deliver = createRoute({
  method: "post",
  path: "/{name}",
  operationId: "deliverToHook",
  summary: "Deliver to an inbound webhook",
  description: "Signed as Standard Webhooks or as GitHub signs. One run for each delivery id, however often it comes.",
  security: [],
  request: { params: z.object({ name: z.string().max(64) }) },
  responses: {
    202: json(z.object({ run_id: z.string() }), "The run of this delivery"),
    200: json(z.object({ ok: z.literal(true) }), "GitHub's ping"),
    ...problems(400, 401, 404, 413, 422, 429, 503),
  },
});

/** `/api/hooks` */
export function hookRoutes(reverie: Reverie) {
  const { hooks } = reverie;
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(create, async (c) => {
    const body = c.req.valid("json");
    const answer = await createOnce(c, reverie, () => {
      const { hook, secret } = hooks.create(body);
      return { status: 201, body: { ...show(hook), secret } };
    });
    c.header("location", `/api/hooks/${answer.body.id}`);
    return c.json(answer.body, 201);
  });

  app.openapi(list, (c) => {
    const { limit, after = null } = c.req.valid("query");
    return c.json(page(hooks.list({ after, limit: limit + 1 }), limit, show, (hook) => hook.id), 200);
  });

  app.openapi(get, (c) => c.json(show(hooks.get(c.req.valid("param").id)), 200));

  app.openapi(remove, (c) => {
    hooks.remove(c.req.valid("param").id);
    return c.body(null, 204);
  });

  return app;
}

/** `/hooks`: authenticated by the signature, which is checked over the raw bytes before they are parsed. */
export function deliveryRoutes(reverie: Reverie, attempts: AuthAttempts) {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(deliver, async (c) => {
    const { hook, secret } = reverie.hooks.byName(c.req.valid("param").name);
    const body = new Uint8Array(await c.req.arrayBuffer());
    const deliveryId = await attempts.attempt(
      c,
      secret,
      () => verifyDelivery(hook.scheme, secret, c.req.raw.headers, body),
    );
    if (hook.scheme === "github" && c.req.header("x-github-event") === "ping") {
      return c.json({ ok: true as const }, 200);
    }
    const run_id = reverie.hooks.deliver(hook, deliveryId, parseJson(body));
    c.header("location", `/api/runs/${run_id}`);
    return c.json({ run_id }, 202);
  });

  return app;
}

function show({ id, name, scheme, run, map, created_at }: Hook) {
  return { id, name, scheme, url: `/hooks/${name}`, run, map, created_at };
}
