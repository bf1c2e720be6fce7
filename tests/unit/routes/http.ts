import { Fixture } from "../runs/fixture.ts";

/** What tests read of an answer's JSON. */
export interface Body {
  [field: string]: Body & string & number & boolean & null & Body[];
}

/** Calls the fixture's application as a client would, over no socket. */
export async function call(
  fixture: Fixture,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: Headers; body: Body; text: string }> {
  const isText = typeof body === "string" || body instanceof Uint8Array || body instanceof ReadableStream;
  const response = await fixture.app.request(path, {
    method,
    body: isText || body === undefined ? body as BodyInit | undefined : JSON.stringify(body),
    headers: { ...(body !== undefined && !isText && { "content-type": "application/json" }), ...headers },
  });
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json") && !response.headers.get("content-type")?.includes("ndjson");
  return { status: response.status, headers: response.headers, body: isJson && text ? JSON.parse(text) : {}, text };
}

export function upload(fixture: Fixture, name: string, text: BodyInit, headers: Record<string, string> = {}) {
  return call(fixture, "POST", `/api/datasets?name=${name}`, text, { "content-type": "text/plain", ...headers });
}
