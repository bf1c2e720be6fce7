import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { getCookie } from "hono/cookie";
import { ForbiddenError, UnauthorizedError } from "#src/errors.ts";
import { type AuthOptions, hostHint, pageOf } from "./auth.ts";
import { type AppEnv, json, jsonBody, problems } from "./common.ts";
import { headerRefs } from "./refusals.ts";
import { endOfSession, findToken, openSession, SESSION_COOKIE, SESSION_DAYS, sessionCookie } from "./session_cookie.ts";

const Session = z.object({
  expires_at: z.string().nullable().openapi({ description: "When the browser's session ends; null without one." }),
}).openapi("Session", { description: "Whether a browser is signed in." });

const show = createRoute({
  method: "get",
  path: "/",
  operationId: "getSession",
  summary: "Whether a browser is signed in",
  responses: { 200: json(Session, "It may call the API"), ...problems(401, 429) },
});

const signIn = createRoute({
  method: "post",
  path: "/",
  operationId: "signIn",
  summary: "Sign a browser in",
  description: "Sets a cookie: a browser cannot set a header on an EventSource. It lasts for " +
    `${SESSION_DAYS} days.`,
  security: [],
  request: {
    body: jsonBody(
      z.strictObject({ token: z.string().max(1000).describe("One of the server's tokens.") }).openapi("SignInRequest", {
        description: "What a browser signs in with.",
      }),
      { token: "one of REVERIE_TOKEN" },
    ),
  },
  responses: {
    204: { description: "Signed in.", headers: headerRefs(["Set-Cookie"]) },
    ...problems(400, 401, 403, 415, 429),
  },
});

const signOut = createRoute({
  method: "delete",
  path: "/",
  operationId: "signOut",
  summary: "Sign a browser out",
  security: [],
  responses: { 204: { description: "Signed out.", headers: headerRefs(["Set-Cookie"]) }, ...problems(403) },
});

export function sessionRoutes({ tokens, attempts }: AuthOptions) {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(show, (c) => {
    const end = endOfSession(tokens, getCookie(c, SESSION_COOKIE) ?? "");
    const expires_at = end === null ? null : new Date(end).toISOString();
    return c.json({ expires_at }, 200);
  });

  app.openapi(signIn, async (c) => {
    guardPage(c.req.raw);
    const given = c.req.valid("json").token;
    if (tokens.length === 0) return c.body(null, 204);
    const token = await attempts.attempt(c, given, () => {
      const token = findToken(tokens, given);
      if (token === undefined) throw new UnauthorizedError("this is none of the server's tokens");
      return token;
    });
    c.header("set-cookie", sessionCookie(c, openSession(token, Date.now())));
    return c.body(null, 204);
  });

  app.openapi(signOut, (c) => {
    guardPage(c.req.raw);
    c.header("set-cookie", sessionCookie(c, ""));
    return c.body(null, 204);
  });

  return app;
}

/** Another site must not sign a browser in as somebody else, nor out. A program says nothing of pages. */
function guardPage(request: Request): void {
  if (pageOf(request) !== "another") return;
  throw new ForbiddenError(`a page of another origin may not sign in or out${hostHint(request)}`);
}
