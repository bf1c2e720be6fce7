import { readFile } from "node:fs/promises";
import { Hono } from "hono";
import type { AppEnv } from "./common.ts";
import { answerOnce } from "./etag.ts";

const root = new URL("../", import.meta.url);

/** Everything the pages load comes from here; only a listed name is ever read. */
const CONTENT_TYPES: Record<string, string> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
  png: "image/png",
};

/** Asset name → file of uPlot's own distribution. */
const UPLOT = new Map([["uplot.js", "uPlot.esm.js"], ["uplot.css", "uPlot.min.css"]]);

/** No inline script, no other origin. */
export const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/** The dashboard at `/`, and what the pages load, without any other host. */
export function webRoutes(): Hono<AppEnv> {
  const app = new Hono<AppEnv>();

  app.get("/", (c) => send(c.req.raw, new URL("src/web/index.html", root), CSP));

  app.get("/assets/:name{[A-Za-z0-9_-]+(?:\\.[A-Za-z0-9_-]+)+}", (c) => {
    const name = c.req.param("name");
    const uplot = UPLOT.get(name);
    const path = uplot === undefined ? `src/web/${name}` : `node_modules/uplot/dist/${uplot}`;
    return name.endsWith(".html") || !(extension(name) in CONTENT_TYPES)
      ? c.notFound()
      : send(c.req.raw, new URL(path, root), CSP);
  });

  return app;
}

async function send(request: Request, file: URL, csp: string): Promise<Response> {
  let content: Uint8Array<ArrayBuffer>;
  try {
    content = new Uint8Array(await readFile(file));
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return new Response("Not found\n", { status: 404 });
    throw error;
  }
  const type = CONTENT_TYPES[extension(file.pathname)];
  return answerOnce(request, content, { "content-type": type, "content-security-policy": csp });
}

function extension(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1);
}
