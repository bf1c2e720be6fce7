import { OpenAPIHono } from "@hono/zod-openapi";
import { bodyLimit } from "hono/body-limit";
import { HTTPException } from "hono/http-exception";
import { requestId } from "hono/request-id";
import { TrieRouter } from "hono/router/trie-router";
import { authenticate } from "#routes/auth.ts";
import { checkpointRoutes } from "#routes/checkpoints.ts";
import type { AppEnv } from "#routes/common.ts";
import { datasetRoutes } from "#routes/datasets.ts";
import { deviceRoutes } from "#routes/device.ts";
import { eventRoutes } from "#routes/events.ts";
import { healthRoutes } from "#routes/health.ts";
import { deliveryRoutes, hookRoutes } from "#routes/hooks.ts";
import { metricRoutes } from "#routes/metrics.ts";
import { planRoutes } from "#routes/plan.ts";
import { runRoutes } from "#routes/runs.ts";
import { sessionRoutes } from "#routes/session.ts";
import { webRoutes } from "#routes/web.ts";
import { BadRequestError, PayloadTooLargeError, ProblemError, UnsupportedMediaTypeError } from "./errors.ts";
import type { Reverie } from "./runs/reverie.ts";

const MAX_BODY_BYTES = 2 ** 20;

/** The whole HTTP surface over `reverie`. It holds no state of its own. */
export function createApp(reverie: Reverie): OpenAPIHono<AppEnv> {
  const app = new OpenAPIHono<AppEnv>({
    defaultHook: (result) => {
      if (result.success) return;
      const errors = result.error.issues.map(({ path, message }) => ({ path: path.join("."), message }));
      const where = result.target === "json" ? "the body" : `the request's ${result.target}`;
      throw new BadRequestError(`${where} is not what this route takes; see errors`, errors);
    },
  });

  app.use(requestId());
  app.use(async (c, next) => {
    const began = performance.now();
    await next();
    c.res.headers.set("x-request-id", c.var.requestId);
    c.res.headers.set("x-content-type-options", "nosniff");
    reverie.log.debug({
      request_id: c.var.requestId,
      method: c.req.method,
      path: c.req.path,
      status: c.res.status,
      ms: Math.round((performance.now() - began) * 10) / 10,
    }, "request");
  });

  const limit = bodyLimit({
    maxSize: MAX_BODY_BYTES,
    onError: () => {
      throw new PayloadTooLargeError(MAX_BODY_BYTES);
    },
  });
  app.use("/hooks/*", limit);
  app.use("/api/*", async (c, next) => {
    // An upload streams to disk and has its own limit.
    const isUpload = c.req.method === "POST" && c.req.path === "/api/datasets";
    return isUpload ? await next() : await limit(c, next);
  });
  const authenticated = authenticate(reverie.tokens);
  app.use("/api/*", async (c, next) => {
    // Who signs in has nothing to show yet.
    return c.req.path === "/api/session" && reverie.tokens.length > 0 ? await next() : await authenticated(c, next);
  });

  app.route("/", healthRoutes(reverie));
  app.route("/", webRoutes());
  app.route("/api/session", sessionRoutes(reverie));
  app.route("/api/device", deviceRoutes(reverie));
  app.route("/api/datasets", datasetRoutes(reverie));
  app.route("/api/plan", planRoutes(reverie));
  app.route("/api/runs", runRoutes(reverie));
  app.route("/api/runs", metricRoutes(reverie));
  app.route("/api", eventRoutes(reverie));
  app.route("/api", checkpointRoutes(reverie));
  app.route("/api/hooks", hookRoutes(reverie));
  app.route("/hooks", deliveryRoutes(reverie));

  app.openAPIRegistry.registerComponent("securitySchemes", "token", { type: "http", scheme: "bearer" });
  app.doc31("/openapi.json", {
    openapi: "3.1.0",
    info: {
      title: "Reverie",
      version: "0.1.0",
      description: "Pretrains GPT-style language models on this machine's GPU: text in, base model out.",
    },
    security: [{ token: [] }],
  });

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
    reverie.log.error({ err: error, request_id: c.var.requestId }, "a request failed");
    return answerProblem(new ProblemError(500, "Internal error", "the server's log says more"), c.var.requestId);
  });
  return app;
}

/** The client went away before it had sent its body. */
function isBrokenOff(error: Error, request: Request): boolean {
  return ("code" in error && error.code === "ECONNRESET") || request.signal.aborted;
}

/** RFC 9457; `facts` are members of their own. */
export function answerProblem({ status, title, detail, extra }: ProblemError, requestId: string): Response {
  const { errors, headers, facts } = extra;
  const body = {
    type: "about:blank",
    title,
    status,
    detail,
    request_id: requestId,
    ...(errors && { errors }),
    ...facts,
  };
  return Response.json(body, { status, headers: { ...headers, "content-type": "application/problem+json" } });
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
