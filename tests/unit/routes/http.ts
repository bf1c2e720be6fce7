import { Fixture } from "../runs/fixture.ts";

/** What tests read of the API's answers, whatever they are of. */
export interface Body {
  id: string;
  run_id: string;
  name: string;
  type: string;
  title: string;
  detail: string;
  request_id: string;
  sha256: string;
  secret: string;
  url: string;
  step: number;
  is_best: boolean;
  bytes: number;
  files: { name: string; bytes: number; sha256: string }[];
  dataset_id: string | null;
  config: object;
  status: string;
  error: string | null;
  waits_for_storage: boolean;
  data: Body[];
  next_cursor: string | null;
  errors: { path: string; message: string }[];
  series: Record<string, { steps: number[]; values: (number | null)[]; total_points: number }>;
}

/** Calls the fixture's application as a client would, over no socket. */
export async function call<T = Body>(
  fixture: Fixture,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: Headers; body: T; text: string }> {
  const isText = typeof body === "string" || body instanceof Uint8Array || body instanceof ReadableStream;
  const response = await fixture.app.request(path, {
    method,
    body: isText || body === undefined ? body as BodyInit | undefined : JSON.stringify(body),
    headers: { ...(body !== undefined && !isText && { "content-type": "application/json" }), ...headers },
  });
  const text = await response.text();
  const isJson = /[/+]json/.test(response.headers.get("content-type") ?? "") && text.startsWith("{");
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) as T : {} as T, text };
}

export function upload(fixture: Fixture, name: string, text: BodyInit, headers: Record<string, string> = {}) {
  return call(fixture, "POST", `/api/datasets?name=${name}`, text, { "content-type": "text/plain", ...headers });
}
