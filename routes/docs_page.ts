import { html } from "hono/html";
import { curlOf } from "./docs_curl.ts";
import { field, fields, type Html, prose, type Schema, schemaLink, typeOf } from "./docs_schema.ts";
import { type ApiDocument, type Operation, operationsOf } from "./openapi.ts";
import { REFUSALS } from "./refusals.ts";

/** The API's reference as one page of HTML, made from the OpenAPI document alone. It needs no script. */

interface Entry {
  path: string;
  method: string;
  operation: Operation;
}

export async function docsPage(document: ApiDocument): Promise<string> {
  const entries: Entry[] = [...operationsOf(document)];
  const schemas = Object.entries(document.components?.schemas ?? {}) as [string, Schema][];
  const groups = (document.tags ?? []).map(({ name, description }) => ({
    name,
    description,
    entries: entries.filter(({ operation }) => operation.tags?.[0] === name),
  }));
  const { title, version, description } = document.info;
  const page = await html`
    <!DOCTYPE html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>${title} API</title>
        <link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
        <link rel="stylesheet" href="/assets/docs.css">
        <script type="module" src="/assets/docs.js"></script>
      </head>
      <body>
        <a class="skip" href="#main">Skip to the reference</a>
        <header>
          <a class="home" href="/">${title}</a>
          <span class="muted">API ${version}</span>
          <a class="document" href="/openapi.json">openapi.json</a>
        </header>
        <nav aria-label="Operations">
          <details open><summary>Contents</summary>
    ${groups.map(({ name, entries }) =>
      html`
        <h2><a href="#${slug(name)}">${name}</a></h2>
        <ul>${entries.map(({ operation }) =>
          html`<li><a href="#${operation.operationId!}">${prose(operation.summary)}</a></li>`
        )}</ul>
      `
    )}<h2><a href="#refusals">Refusals</a></h2>
    <h2><a href="#schemas">Schemas</a></h2>
          </details>
        </nav>
        <main id="main">
    <h1>${title} API</h1>
    <p class="lead">${(document.info as { summary?: string }).summary}</p>
    <p>${prose(description)}</p>
    <p>The examples call the server that shows this page. If it has tokens, add <code>-H "authorization: Bearer $TOKEN"</code>.</p>
    ${groups.map(({ name, description, entries }) =>
      html`
        <section aria-labelledby="${slug(name)}">
        <h2 id="${slug(name)}">${name}</h2>
        <p>${prose(description)}</p>
        ${entries.map((entry) => showOperation(entry, document))}
        </section>
      `
    )}${refusalsSection()}
    <section aria-labelledby="schemas">
    <h2 id="schemas">Schemas</h2>
    ${schemas.map(([name, schema]) =>
      html`
        <article class="schema">
        <h3 id="schema-${name}"><a href="#schema-${name}">${name}</a></h3>
        <p>${prose(schema.description)}</p>
        ${schema.properties ? fields(schema) : html`<p class="type">${typeOf(schema)}</p>`}
        </article>
      `
    )}
    </section>
        </main>
      </body>
    </html>
  `;
  return page.toString();
}

function showOperation({ path, method, operation }: Entry, document: ApiDocument): Html {
  const id = operation.operationId!;
  const curl = curlOf(path, method, operation);
  return html`
    <article>
    <h3 id="${id}"><a href="#${id}">${prose(operation.summary)}</a></h3>
    <p class="call"><span class="method ${method}">${method.toUpperCase()}</span> <code>${breakable(
      path,
    )}</code>${operation.security?.length === 0
      ? html`
        <span class="muted">needs no token</span>
      `
      : ""}</p>
    ${operation.description ? html`<p>${prose(operation.description)}</p>` : ""}
    ${parameters(operation)}
    ${body(operation, document)}
    <figure><figcaption>Example</figcaption><pre tabindex="0"><code>${curl}</code></pre></figure>
    <h4>Answers</h4>
    ${answers(operation)}
    </article>
  `;
}

/** A long path breaks after a slash. */
function breakable(path: string): Html[] {
  return path.split(/(?<=\/)/).map((part, i) => i === 0 ? html`${part}` : html`<wbr>${part}`);
}

function parameters({ parameters = [] }: Operation): Html | "" {
  const rows = parameters.flatMap((parameter) => {
    if (!("name" in parameter)) return [];
    const { name, in: place, required = false, description, schema } = parameter;
    const said = place === "path"
      ? `In the path. ${description}`
      : place === "header"
      ? `A header. ${description}`
      : description;
    return [field(name, schema as Schema, required, said)];
  });
  return rows.length === 0 ? "" : html`
    <h4>Parameters</h4>
    <dl class="fields">${rows}</dl>
  `;
}

/** More fields than this are shown when they are asked for. */
const FEW_FIELDS = 8;

function body({ requestBody }: Operation, document: ApiDocument): Html | "" {
  if (!requestBody || !("content" in requestBody)) return "";
  return html`<h4>Body</h4>${
    Object.entries(requestBody.content).map(([type, media]) => {
      const schema = media.schema as Schema;
      const name = schema.$ref?.split("/").at(-1) ?? "";
      const { properties } = (document.components?.schemas?.[name] ?? schema) as Schema;
      const required = requestBody.required ? "" : ", optional";
      const title = html`<p><code>${type}</code> ${typeOf(schema)}${required}. ${prose(schema.description)}</p>`;
      if (!properties) return title;
      const names = Object.keys(properties);
      return html`${title}<details ${names.length <= FEW_FIELDS ? "open" : ""}><summary>${names.length} ${
        names.length === 1 ? "field" : "fields"
      }</summary>${fields((document.components?.schemas?.[name] ?? schema) as Schema)}</details>`;
    })
  }`;
}

/** The answers that only this operation gives; the refusals that many share are explained once. */
function answers({ responses = {} }: Operation): Html {
  const own: Html[] = [];
  const shared: Html[] = [];
  for (const [status, response] of Object.entries(responses)) {
    if ("$ref" in response) {
      shared.push(html`
        <a href="#refusal-${status}">${status}</a>
      `);
    } else {own.push(html`
        <div>
          <dt><span class="status">${status}</span>${contents(response.content)}</dt>
          <dd>${prose(response.description)}</dd>
        </div>
      `);}
  }
  return html`<dl class="fields">${own}</dl>${
    shared.length === 0 ? "" : html`<p class="muted refused">Refused with${shared}</p>`
  }`;
}

function contents(content: Record<string, { schema?: object }> = {}): Html[] {
  return Object.entries(content).map(([type, { schema }]) => {
    const inner = schema as Schema | undefined;
    const list = inner?.properties?.data?.items?.$ref;
    return html`
      <span class="type"><code>${type}</code> ${list !== undefined
        ? html`list of ${schemaLink(list)}`
        : inner?.$ref
        ? schemaLink(inner.$ref)
        : ""}</span>
    `;
  });
}

function refusalsSection(): Html {
  return html`
    <section aria-labelledby="refusals">
      <h2 id="refusals">Refusals</h2>
      <p>Each has a ${schemaLink("Problem")} as <code>application/problem+json</code>.</p>
      <dl class="fields">${Object.entries(REFUSALS).map(([status, { description, headers = [] }]) =>
        html`
          <div id="refusal-${status}">
            <dt><span class="status">${status}</span> <span class="type">${headers.join(", ")}</span></dt>
            <dd>${prose(description)}</dd>
          </div>
        `
      )}</dl>
    </section>
  `;
}

function slug(name: string): string {
  return name.toLowerCase().replaceAll(" ", "-");
}
