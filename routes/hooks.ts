import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { record } from "#src/data/client_text.ts";
import { RunRequest } from "#src/train/config.ts";
import { eventOf } from "#src/runs/hook_filter.ts";
import { parsePayload } from "#src/runs/hook_payload.ts";
import { checkSignature, SignatureError } from "#src/runs/hook_signature.ts";
import { type Hook, KEPT_DAYS } from "#src/runs/hooks.ts";
import { isJsonPath, isTargetPath } from "#src/runs/json_path.ts";
import type { AuthAttempts } from "./auth_attempts.ts";
import { BodyPlaces } from "./body_places.ts";
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
import { MAX_HOOK_BODY_BYTES, withHookBody } from "./hook_body.ts";
import { optionalJson } from "./json_input.ts";
import { rotate, Rotation, RotationFields } from "./rotation.ts";

const HookName = z.string().regex(
  /^[A-Za-z0-9](?:[A-Za-z0-9_-]{0,62}[A-Za-z0-9])?$/,
  "letters, digits, - and _, at most 64",
);

const SCHEME = "How deliveries are signed: as Standard Webhooks say, or as GitHub does.";

const EventGlob = z.string().regex(/^[\w.*:/-]{1,100}$/, "an event's name, in which * stands for anything");

const BranchGlob = z.string().min(1).max(255)
  // deno-lint-ignore no-control-regex -- what git allows in no name
  .regex(/^[^\x00-\x20\x7f~^:?[\]\\]+$/, "a branch's name, in which * and ** stand for anything without and with /")
  .refine((glob) => !glob.startsWith("refs/"), "a branch's short name: main, not refs/heads/main");

const Events = z.array(EventGlob).min(1).max(100);
const Branches = z.array(BranchGlob).min(1).max(100).nullable();

const HookBody = z.strictObject({
  name: HookName.describe("Last part of its URL: letters, digits, `-` and `_`, at most 64."),
  scheme: z.enum(["standard", "github"]).default("standard").describe(SCHEME),
  run: record(z.string(), z.unknown(), 100).openapi({
    description: "A run's body; what `map` fills in may be missing.",
  }),
  map: record(
    z.string().refine(isTargetPath, "a field of the run's body, such as optimizer.learning_rate"),
    z.string().refine(isJsonPath, "a path into the delivery, such as $.inputs.files[0]"),
    100,
  ).default({}).describe(
    'Which field of the run\'s body is read from where in the delivery, such as `{"dataset": "$.dataset"}`.',
  ),
  events: Events.optional().openapi({
    description:
      "The events that start a run, `*` for all; other deliveries are answered `ignored`. GitHub's are those " +
      "of `X-GitHub-Event`, also with the payload's action (`pull_request.closed`), and by default `push`; of Standard " +
      "Webhooks it is the payload's `type`, and by default any. A push that deletes a branch or tag never starts a run.",
    example: ["push"],
  }),
  branches: Branches.default(null).openapi({
    description: "Of `github` only: the branches whose pushes, pull requests and checks start a run. `*` stands for " +
      "anything without a slash, `**` for anything. Null: any branch, and tags too. Events that have no branch, such as " +
      "a release, are not looked at.",
    example: ["main", "release/*"],
  }),
}).superRefine(({ run, scheme, events, branches }, context) => {
  const refuse = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
  if (scheme !== "github" && branches !== null) refuse("branches", 'only a hook of the scheme "github" knows branches');
  if (events?.includes("ping")) refuse("events", "a ping never starts a run");
  const parsed = RunRequest.partial({ dataset: true }).safeParse(run);
  for (const { path, message } of parsed.error?.issues ?? []) {
    context.addIssue({ code: "custom", path: ["run", ...path], message });
  }
}).openapi("HookRequest", { description: "An inbound webhook to be." });

const HookView = z.object({
  id: z.string().describe("`hook_` and a ULID."),
  name: z.string().describe("Last part of its URL."),
  scheme: z.enum(["standard", "github"]).describe(SCHEME),
  url: z.string().openapi({ description: "Path to which deliveries are posted.", example: "/hooks/nightly" }),
  run: z.record(z.string(), z.unknown()).describe("The body of the runs that it starts."),
  map: z.record(z.string(), z.string()).describe("Fields of the run's body that are read from the delivery."),
  events: z.array(z.string()).describe("Events that start a run, `*` for all."),
  branches: z.array(z.string()).nullable().describe("Branches whose events start a run; null: any, and tags too."),
  created_at: z.iso.datetime().describe("When it was added."),
}).openapi("Hook", { description: "Starts a run for each signed delivery." });

const create = createRoute({
  method: "post",
  path: "/",
  operationId: "createHook",
  summary: "Add an inbound webhook",
  request: {
    headers: IdempotencyHeader,
    body: jsonBody(HookBody, {
      name: "nightly",
      run: { max_steps: 2000 },
      map: { dataset: "$.dataset" },
    }),
  },
  responses: {
    201: json(
      z.object({ ...HookView.shape, secret: z.string().describe("Signs deliveries; shown only here.") })
        .openapi("HookWithSecret", { description: "An inbound webhook with its secret." }),
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

const rotateSecret = createRoute({
  method: "post",
  path: "/{id}/rotate",
  ...rotate("inbound"),
  responses: {
    200: json(
      z.object({ ...HookView.shape, ...RotationFields }).openapi("RotatedHook", {
        description: "An inbound webhook with its new secret.",
      }),
      "Rotated; the new secret is shown only here",
    ),
    ...problems(400, 401, 404, 409, 413, 415, 422),
  },
});

const deliver = createRoute({
  method: "post",
  path: "/{name}",
  operationId: "deliverToHook",
  summary: "Deliver to an inbound webhook",
  description:
    "Signed as Standard Webhooks (`webhook-*` or `svix-*` headers) or as GitHub signs, in JSON or as a form " +
    `with the JSON in its field \`payload\`, of ${MAX_HOOK_BODY_BYTES / 2 ** 20} MiB at most. ` +
    "One run for each delivery id, however often it comes, also " +
    `to a hook that was deleted and made again under its name within ${KEPT_DAYS} days. ` +
    "The hook's `events` and `branches` say " +
    "which start a run. A ping (GitHub's event, or a payload of type `ping`) is verified and read like any delivery, " +
    "starts nothing, and gets the refusal that a delivery would get if the hook's run is impossible.",
  security: [],
  request: { params: z.object({ name: z.string().max(64).describe("The hook's name.") }) },
  responses: {
    202: json(
      z.union([
        z.object({ run_id: z.string().describe("The run that it started.") }),
        z.object({ ignored: z.string().describe("Why it starts no run.") }),
      ]).openapi("HookDelivery", { description: "What a delivery started, or why it started nothing." }),
      "The run of this delivery, or why it starts none",
    ),
    200: json(
      z.object({ ok: z.literal(true).describe("Always true.") }).openapi("HookPing", {
        description: "The answer to a ping.",
      }),
      "A ping, and the hook's run is possible",
    ),
    ...problems(400, 401, 404, 408, 413, 422, 429, 503),
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

  app.openapi(rotateSecret, async (c) => {
    const { id } = c.req.valid("param");
    const { overlap_seconds } = optionalJson(c, Rotation, c.req.valid("json"));
    const { body } = await createOnce(c, reverie, () => {
      const { hook, secret, oldSecretExpiresAt } = hooks.rotate(id, overlap_seconds);
      return { status: 200, body: { ...show(hook), secret, old_secret_expires_at: oldSecretExpiresAt } };
    });
    return c.json(body, 200);
  });

  return app;
}

/**
 * `/hooks`: authenticated by the signature, which is checked over the raw bytes before they are parsed. Nobody guesses a
 * signature, so wrong ones lock out nobody: what they cost is bounded instead, and whose hook is unknown or whose headers
 * hold no signature sends no body.
 */
export function deliveryRoutes({ hooks }: Reverie, attempts: AuthAttempts) {
  const app = new OpenAPIHono<AppEnv>();
  const places = new BodyPlaces();

  app.openapi(deliver, async (c) => {
    const { hook, secrets } = hooks.byName(c.req.valid("param").name);
    const { raw } = c.req;
    try {
      const check = checkSignature(hook.scheme, secrets, raw.headers);
      const address = attempts.addressOf(c) ?? "";
      const reading = { request: raw, address, places, onChunk: (chunk: Uint8Array) => check.update(chunk) };
      return await withHookBody(reading, (body) => {
        const id = check.finish();
        const payload = parsePayload(body, c.req.header("content-type"));
        const event = eventOf(hook.scheme, raw.headers, payload);
        if (event === "ping") {
          hooks.check(hook);
          return c.json({ ok: true as const }, 200);
        }
        const answer = hooks.deliver(hook, { id, event, payload });
        if ("run_id" in answer) c.header("location", `/api/runs/${answer.run_id}`);
        return c.json(answer, 202);
      });
    } catch (error) {
      if (error instanceof SignatureError) await attempts.tellRefused(c, error.detail);
      throw error;
    }
  });

  return app;
}

function show({ id, name, scheme, run, map, events, branches, created_at }: Hook) {
  return { id, name, scheme, url: `/hooks/${name}`, run, map, events, branches, created_at };
}
