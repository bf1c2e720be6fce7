import type { OpenAPIHono } from "@hono/zod-openapi";
import type { MiddlewareHandler } from "hono";
import { TrieRouter } from "hono/router/trie-router";
import { BadRequestError } from "#src/errors.ts";
import type { AppEnv } from "./common.ts";

/**
 * Refuses query parameters that a route does not know: with `?state=running` in place of `?status=running`, a client
 * would take the whole list for the filtered one. A route knows the keys of its query's schema; one that ends in `*`
 * stands for all names that begin so.
 */
export function refuseUnknownParameters(app: OpenAPIHono<AppEnv>): MiddlewareHandler<AppEnv> {
  let router: TrieRouter<readonly string[]> | undefined;
  return async (c, next) => {
    router ??= knownParameters(app); // all routes are there once a request is
    const { searchParams } = new URL(c.req.url);
    if (searchParams.size === 0) return await next();
    const method = c.req.method === "HEAD" ? "GET" : c.req.method;
    const known = router.match(method, c.req.path)[0][0]?.[0];
    if (known === undefined) return await next(); // a 404 or a 405
    const unknown = [...new Set(searchParams.keys())].filter((name) => !known.some((key) => covers(key, name)));
    if (unknown.length > 0) {
      const takes = known.length === 0 ? "takes no query parameters" : `takes ${known.join(", ")}`;
      throw new BadRequestError(
        `${method} ${c.req.path} ${takes}; see errors`,
        unknown.map((path) => ({ path, message: "this route knows no such query parameter" })),
      );
    }
    await next();
  };
}

function covers(key: string, name: string): boolean {
  return key.endsWith("*") ? name.startsWith(key.slice(0, -1)) : name === key;
}

function knownParameters(app: OpenAPIHono<AppEnv>): TrieRouter<readonly string[]> {
  const router = new TrieRouter<readonly string[]>();
  for (const definition of app.openAPIRegistry.definitions) {
    if (definition.type !== "route") continue;
    const { method, path, request } = definition.route;
    const { query } = request ?? {};
    if (query !== undefined && !("shape" in query)) throw new Error(`the query of ${method} ${path} is no object`);
    router.add(method.toUpperCase(), path.replaceAll(/\{(\w+)\}/g, ":$1"), Object.keys(query?.shape ?? {}));
  }
  return router;
}
