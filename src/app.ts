import { OpenAPIHono } from "@hono/zod-openapi";
import { bodyLimit } from "hono/body-limit";
import { cors } from "hono/cors";
import { HTTPException } from "hono/http-exception";
import { requestId } from "hono/request-id";
import { TrieRouter } from "hono/router/trie-router";
import { authenticate } from "#routes/auth.ts";
import { AuthAttempts } from "#routes/auth_attempts.ts";
import { checkpointRoutes } from "#routes/checkpoints.ts";
import type { AppEnv } from "#routes/common.ts";
import { datasetRoutes } from "#routes/datasets.ts";
import { deviceRoutes } from "#routes/device.ts";
import { docsRoutes } from "#routes/docs.ts";
import { eventRoutes } from "#routes/events.ts";
import { healthRoutes } from "#routes/health.ts";
import { deliveryRoutes, hookRoutes } from "#routes/hooks.ts";
import { compressAnswers, declareShortLength, leaveUnsentBody } from "#routes/compression.ts";
import { checkJsonBody, isJson } from "#routes/json_input.ts";
import { metricRoutes } from "#routes/metrics.ts";
import { planRoutes } from "#routes/plan.ts";
import { describeApi } from "#routes/openapi.ts";
import { measureRequests, openRegistry, prometheusRoutes } from "#routes/prometheus.ts";
import { refuseUnknownParameters } from "#routes/query_parameters.ts";
import { limitRequest, refuseEncodedBody } from "#routes/request_limits.ts";
import { runRoutes } from "#routes/runs.ts";
import { setSecurityHeaders } from "#routes/security_headers.ts";
import { sessionRoutes } from "#routes/session.ts";
import { webRoutes } from "#routes/web.ts";
import { webhookRoutes } from "#routes/webhooks.ts";
import { describeStorageError, isStorageError } from "./data/storage_error.ts";
import {
  BadRequestError,
  PayloadTooLargeError,
  ProblemError,
  problemOf,
  StorageUnavailableError,
  UnsupportedMediaTypeError,
} from "./errors.ts";
import { inRequest } from "./request_context.ts";
import type { Reverie } from "./runs/reverie.ts";

const MAX_BODY_BYTES = 2 ** 20;

export interface AppOptions {
  /** Origins whose pages may call the API, with a token where there are tokens. */
  corsOrigins: string[];
  /** Whether X-Forwarded-For says who asks. */
  trustProxy: boolean;
  /** Hosts besides this machine's own under which a server without tokens answers. */
  allowedHosts: string[];
}

/** The whole HTTP surface over `reverie`. What it keeps, counts of requests and of failed attempts, may be lost. */
export function createApp(
  reverie: Reverie,
  { corsOrigins = [], trustProxy = false, allowedHosts = [] }: Partial<AppOptions> = {},
): OpenAPIHono<AppEnv> {
  const registry = openRegistry(reverie);
  const attempts = new AuthAttempts(reverie.log, trustProxy);
  const auth = { tokens: reverie.tokens, attempts, corsOrigins, allowedHosts };
  const app = new OpenAPIHono<AppEnv>({
    defaultHook: (result) => {
      if (result.success) return;
      const errors = result.error.issues.map(({ path, message }) => ({ path: path.join("."), message }));
      const where = result.target === "json" ? "the body" : `the request's ${result.target}`;
      throw new BadRequestError(`${where} is not what this route takes; see errors`, errors);
    },
  });

  app.use(requestId());
  app.use((c, next) => inRequest(c.var.requestId, next));
  app.use(measureRequests(registry));
  app.use(async (c, next) => {
    const began = performance.now();
    await next();
    c.res.headers.set("x-request-id", c.var.requestId);
    const ms = Math.round((performance.now() - began) * 10) / 10;
    reverie.log.debug({ method: c.req.method, path: c.req.path, status: c.res.status, ms }, "request");
  });
  app.use(compressAnswers);
  app.use(declareShortLength);
  app.use(leaveUnsentBody);
  app.use(setSecurityHeaders);
  app.use(limitRequest);
  app.use(refuseEncodedBody);
  if (corsOrigins.length > 0) {
    const answerPages = cors({
      origin: corsOrigins,
      allowMethods: ["GET", "HEAD", "POST", "PATCH", "DELETE"],
      allowHeaders: ["authorization", "content-type", "idempotency-key", "last-event-id", "x-request-id"],
      exposeHeaders: ["accept-encoding", "etag", "idempotent-replayed", "location", "retry-after", "x-request-id"],
      maxAge: 600,
    });
    for (const path of ["/api/*", "/v1/*"]) app.use(path, answerPages);
  }

  const authenticated = authenticate(auth);
  app.use("/metrics", authenticated);
  app.use("/api/*", async (c, next) => {
    // A client that signs in has no credential yet, and one that signs out may have none that is valid.
    const isOpen = reverie.tokens.length > 0 && c.req.path === "/api/session" &&
      ["POST", "DELETE"].includes(c.req.method);
    return isOpen ? await next() : await authenticated(c, next);
  });
  app.use("/api/*", refuseUnknownParameters(app));

  // After authentication: nothing is read from a client that may not ask.
  const limit = bodyLimit({
    maxSize: MAX_BODY_BYTES,
    onError: () => {
      throw new PayloadTooLargeError(MAX_BODY_BYTES);
    },
  });
  app.use("/api/*", async (c, next) => {
    // An upload streams to disk and has its own limit; JSON is read whole wherever it comes.
    const isUpload = c.req.method === "POST" && c.req.path === "/api/datasets" && !isJson(c.req.header("content-type"));
    return isUpload ? await next() : await limit(c, next);
  });
  app.use("/api/*", checkJsonBody);

  app.route("/", healthRoutes(reverie));
  app.route("/", prometheusRoutes(registry));
  app.route("/", webRoutes());
  app.route("/api/session", sessionRoutes(auth));
  app.route("/api/device", deviceRoutes(reverie));
  app.route("/api/datasets", datasetRoutes(reverie));
  app.route("/api/plan", planRoutes(reverie));
  app.route("/api/runs", runRoutes(reverie));
  const { ofRun, ofSeveral } = metricRoutes(reverie);
  app.route("/api/runs", ofRun);
  app.route("/api/metrics", ofSeveral);
  app.route("/api", eventRoutes(reverie));
  app.route("/api", checkpointRoutes(reverie));
  app.route("/api/hooks", hookRoutes(reverie));
  app.route("/hooks", deliveryRoutes(reverie, attempts));
  app.route("/api/webhooks", webhookRoutes(reverie));

  app.route("/", docsRoutes(() => describeApi(app)));

  const methodsOf = allowedMethods(app);
  app.notFound((c) => {
    const allow = methodsOf(c.req.path);
    const problem = allow.length > 0 && !allow.includes(c.req.method)
      ? new ProblemError(405, "Method not allowed", `${c.req.path} takes ${allow.join(", ")}`, {
        headers: { allow: allow.join(", ") },
      })
      : new ProblemError(404, "Not found", `there is no ${c.req.path}`);
    return answerProblem(problem, c.var.requestId);
  });
  app.onError((error, c) => {
    if (error instanceof ProblemError) return answerProblem(error, c.var.requestId);
    if (error instanceof HTTPException) {
      // Thrown by Hono's own checks of a JSON body.
      const problem = error.status === 415
        ? new UnsupportedMediaTypeError(c.req.header("content-type"), "application/json")
        : new ProblemError(error.status, "Bad request", error.message);
      return answerProblem(problem, c.var.requestId);
    }
    if (isBrokenOff(error, c.req.raw)) {
      return answerProblem(new BadRequestError("the request broke off"), c.var.requestId); // nobody may be there to read it
    }
    reverie.log.error({ err: error }, "a request failed");
    if (isStorageError(error)) {
      return answerProblem(new StorageUnavailableError(describeStorageError(error)), c.var.requestId);
    }
    return answerProblem(new ProblemError(500, "Internal error", "the server's log says more"), c.var.requestId);
  });
  return app;
}

/** The client went away before it had sent its body. */
function isBrokenOff(error: Error, request: Request): boolean {
  return ("code" in error && error.code === "ECONNRESET") || request.signal.aborted;
}

export function answerProblem(problem: ProblemError, requestId: string): Response {
  const headers = { ...problem.extra.headers, "content-type": "application/problem+json" };
  return Response.json(problemOf(problem, requestId), { status: problem.status, headers });
}

/** Hono answers 404 for a known path and another method; this says which methods the path has. */
function allowedMethods(app: OpenAPIHono<AppEnv>): (path: string) => string[] {
  const router = new TrieRouter<string>();
  const methods = new Set<string>();
  for (const { method, path } of app.routes) {
    if (method === "ALL") continue; // middleware
    router.add(method, path, method);
    methods.add(method);
  }
  return (path) => {
    const allowed = [...methods].filter((method) => router.match(method, path)[0].length > 0);
    return allowed.includes("GET") ? [...allowed, "HEAD"].sort() : allowed.sort();
  };
}
