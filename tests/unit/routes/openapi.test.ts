import { afterAll, beforeAll, expect, test } from "bun:test";
import { type ApiDocument, operationsOf } from "#routes/openapi.ts";
import { lint } from "../../support/redocly.ts";
import { Fixture } from "../runs/fixture.ts";
import { call } from "./http.ts";

let fixture: Fixture;
let document: ApiDocument;
beforeAll(async () => {
  fixture = await Fixture.open();
  document = (await call<ApiDocument>(fixture, "GET", "/openapi.json")).body;
});
afterAll(() => fixture.close());

test("Redocly's linter has nothing to say", async () => {
  expect(await lint(document)).toEqual([]);
  const { servers: _, ...without } = document;
  expect((await lint(without)).join()).toContain("no-empty-servers");
}, 30_000);

test("the document names its server, its licence and its tags, and each operation has a name of its own", () => {
  expect(document.servers).toEqual([{ url: "/", description: expect.any(String) }]);
  expect(document.info.license?.name).toBeString();
  const operations = [...operationsOf(document)].map(({ operation }) => operation);
  const tags = document.tags!.map(({ name }) => name);
  for (const { tags: [tag] = [] } of operations) expect(tags).toContain(tag);
  const ids = operations.map(({ operationId }) => operationId!);
  expect(ids).toEqual([...new Set(ids)]);
  for (const id of ids) expect(id).toMatch(/^[a-z][A-Za-z]+$/);
});

test("each answer has the request's id, and what any request may meet is documented", () => {
  for (const { path, method, operation } of operationsOf(document)) {
    for (const status of ["400", "405", "500", "503"]) {
      expect([path, method, Object.keys(operation.responses!)]).toEqual([
        path,
        method,
        expect.arrayContaining([status]),
      ]);
    }
    for (const response of Object.values(operation.responses!)) {
      const name = "$ref" in response ? response.$ref.split("/").at(-1)! : null;
      const { headers } = name === null ? response : document.components!.responses![name] as typeof response;
      expect(headers).toHaveProperty("X-Request-Id");
    }
  }
});

test("everything has a description", () => {
  const bare: string[] = [];
  const visit = (part: unknown, where: string): void => {
    if (typeof part !== "object" || part === null) return;
    const { properties = {}, ...rest } = part as { properties?: Record<string, Described> };
    for (const [name, property] of Object.entries(properties)) {
      if (!property.description && !property.$ref) bare.push(`${where}.${name}`);
      visit(property, `${where}.${name}`);
    }
    for (const [key, value] of Object.entries(rest)) visit(value, `${where}/${key}`);
  };
  visit(document.components!.schemas, "schemas");
  for (const [name, schema] of Object.entries(document.components!.schemas!)) {
    if (!("description" in schema)) bare.push(name);
  }
  for (const { path, method, operation } of operationsOf(document)) {
    visit(operation.requestBody, `${method} ${path} body`);
    visit(operation.responses, `${method} ${path}`);
    for (const parameter of operation.parameters ?? []) {
      if ("name" in parameter && !parameter.description) bare.push(`${method} ${path} ${parameter.name}`);
    }
  }
  expect(bare).toEqual([]);
});

interface Described {
  description?: string;
  $ref?: string;
}

test("an answer's properties have no default: each is there", () => {
  const { RunConfig } = document.components!.schemas! as Record<string, { required: string[]; properties: object }>;
  expect(RunConfig.required.toSorted()).toEqual(Object.keys(RunConfig.properties).toSorted());
  for (const { operation } of operationsOf(document)) {
    expect(JSON.stringify(operation.responses)).not.toContain('"default"');
  }
});

test("a request's properties have no default keyword, which generators take for required", () => {
  const { RunRequest } = document.components!.schemas!;
  expect(RunRequest).toMatchObject({ required: ["dataset"] });
  expect(JSON.stringify(RunRequest)).not.toContain('"default"');
  expect(JSON.stringify(RunRequest)).toContain("Default: `12`.");
});
