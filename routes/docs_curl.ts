import type { Schema } from "./docs_schema.ts";
import type { Operation } from "./openapi.ts";

/** The page's script puts the address of the server in its place. */
export const ORIGIN = "http://localhost:8000";

/** How to call an operation from a shell: a part of the path in braces is a variable. */
export function curlOf(path: string, method: string, operation: Operation): string {
  const url = ORIGIN + path.replaceAll(/\{(\w+)\}/g, "$$$1") + queryOf(operation);
  const responses = operation.responses ?? {};
  const [answer] = Object.keys(responses["200"]?.content ?? {});
  const { options, body } = bodyOf(operation);
  const command = [
    "curl",
    answer === "text/event-stream" ? "-N" : "",
    answer === "application/octet-stream" ? "-O" : "",
    method === "get" || (method === "post" && body !== "") ? "" : `-X ${method.toUpperCase()}`,
    `"${url}"`,
  ].filter((word) => word !== "").join(" ");
  return [command, ...options, body].filter((line) => line !== "").join(" \\\n  ");
}

/** The parameters that must be given. */
function queryOf({ parameters = [] }: Operation): string {
  const pairs = parameters.flatMap((parameter) => {
    if (!("name" in parameter) || parameter.in !== "query" || !parameter.required) return [];
    const { examples: [example] = [] } = parameter.schema as Schema;
    return [`${parameter.name}=${example ?? `$${parameter.name}`}`];
  });
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}

function bodyOf({ requestBody }: Operation): { options: string[]; body: string } {
  if (!requestBody || !("content" in requestBody)) return { options: [], body: "" };
  const [[type, { example }]] = Object.entries(requestBody.content);
  const options = [`-H "content-type: ${type}"`];
  if (type !== "application/json") return { options, body: "--data-binary @text.txt" };
  return { options, body: `-d '${JSON.stringify(example).replaceAll("'", "'\\''")}'` };
}
