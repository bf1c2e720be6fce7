import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { deleteCookie, setCookie } from "hono/cookie";
import { UnauthorizedError } from "#src/errors.ts";
import { findToken, SESSION_COOKIE, sessionOf } from "./auth.ts";
import { type AppEnv, jsonBody, problems } from "./common.ts";
import type { Reverie } from "#src/runs/reverie.ts";

const signIn = createRoute({
  method: "post",
  path: "/",
  summary: "Sign a browser in",
  description: "Sets a cookie: a browser cannot set a header on an EventSource.",
  security: [],
  request: { body: jsonBody(z.strictObject({ token: z.string().max(1000) })) },
  responses: { 204: { description: "Signed in" }, ...problems(400, 401, 415) },
});

const signOut = createRoute({
  method: "delete",
  path: "/",
  summary: "Sign a browser out",
  security: [],
  responses: { 204: { description: "Signed out" } },
});

export function sessionRoutes({ tokens }: Reverie) {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(signIn, (c) => {
    const token = findToken(tokens, c.req.valid("json").token);
    if (tokens.length > 0 && token === undefined) throw new UnauthorizedError("this is none of the server's tokens");
    if (token !== undefined) {
      const secure = new URL(c.req.url).protocol === "https:" || c.req.header("x-forwarded-proto") === "https";
      setCookie(c, SESSION_COOKIE, sessionOf(token), { httpOnly: true, sameSite: "Strict", path: "/", secure });
    }
    return c.body(null, 204);
  });

  app.openapi(signOut, (c) => {
    deleteCookie(c, SESSION_COOKIE, { path: "/" });
    return c.body(null, 204);
  });

  return app;
}
