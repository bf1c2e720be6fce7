import { Hono } from "hono";
import type { AppEnv } from "./common.ts";
import { docsPage } from "./docs_page.ts";
import { answerOnce } from "./etag.ts";
import type { ApiDocument } from "./openapi.ts";
import { CSP } from "./web.ts";

/**
 * The API's description: `/openapi.json` for programs, `/docs` for people.
 * @param describe called once, when somebody first asks: all routes are there by then
 */
export function docsRoutes(describe: () => ApiDocument): Hono<AppEnv> {
  let described: ApiDocument | undefined;
  let json: string | undefined;
  let page: Promise<string> | undefined;
  const document = () => described ??= describe();
  const app = new Hono<AppEnv>();

  app.get("/openapi.json", (c) => {
    json ??= JSON.stringify(document());
    return answerOnce(c.req.raw, json, { "content-type": "application/json" });
  });

  app.get("/docs", async (c) => {
    page ??= docsPage(document());
    const headers = { "content-type": "text/html; charset=utf-8", "content-security-policy": CSP };
    return answerOnce(c.req.raw, await page, headers);
  });

  return app;
}
