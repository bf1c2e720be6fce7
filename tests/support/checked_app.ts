import type { createApp } from "#src/app.ts";
import { AnswerChecker, type Document } from "./answers.ts";

type App = ReturnType<typeof createApp>;

let checker: Promise<AnswerChecker> | undefined;

/** An application whose every answer is held against the OpenAPI document: one that is not as documented throws. */
export function checked(app: App): App {
  const { fetch } = app;
  app.fetch = async (request, ...rest) => {
    const answer = await fetch(request, ...rest);
    checker ??= readDocument(fetch);
    const type = answer.headers.get("content-type") ?? "";
    // A stream may never end; what it carries is checked where it is read.
    const isReadable = /[/+]json/.test(type) && !answer.headers.has("content-encoding");
    const body = isReadable ? await answer.clone().text() : null;
    // A Host that is none is refused before any route is found.
    const { pathname } = URL.parse(request.url) ?? { pathname: "" };
    const faults = (await checker).faults(request.method, pathname, answer, body);
    if (faults.length > 0) {
      throw new Error(
        `${request.method} ${pathname} → ${answer.status}: ${faults.join("; ")}\n${body?.slice(0, 2000)}`,
      );
    }
    return answer;
  };
  return app;
}

async function readDocument(fetch: App["fetch"]): Promise<AnswerChecker> {
  const answer = await fetch(new Request("http://localhost/openapi.json"));
  return new AnswerChecker(await answer.json() as Document);
}
