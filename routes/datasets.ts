import { createHash } from "node:crypto";
import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { readCharacters } from "#src/data/text_store.ts";
import { isDatasetName } from "#src/runs/datasets.ts";
import { PayloadTooLargeError, UnprocessableError, UnsupportedMediaTypeError } from "#src/errors.ts";
import {
  type AppEnv,
  createOnce,
  idCursor,
  IdempotencyHeader,
  IdParam,
  json,
  listOf,
  page,
  pageQuery,
  problems,
} from "./common.ts";
import type { Reverie } from "#src/runs/reverie.ts";

const Dataset = z.object({
  id: z.string().describe("`ds_` and a ULID."),
  name: z.string().describe("The first name it was uploaded under, unique; runs may say it in place of the id."),
  names: z.array(z.string()).describe("All names that find it: the same bytes may be uploaded under several."),
  sha256: z.string().regex(/^[0-9a-f]{64}$/).describe("SHA-256 of the text's bytes, in hexadecimal."),
  bytes: z.int().describe("Size in bytes of UTF-8."),
  characters: z.int().describe("Length in code points."),
  distinct_characters: z.int().describe("Distinct code points: the vocabulary of a `char` tokenizer."),
  documents: z.int().describe("Documents it was made of."),
  created_at: z.iso.datetime().describe("When it was stored."),
}).openapi("Dataset", { description: "A text to train on." });

const upload = createRoute({
  method: "post",
  path: "/",
  operationId: "uploadDataset",
  summary: "Upload a text",
  description:
    "The body streams to disk. The same bytes under another name are one dataset, which both names find; a name " +
    "that belongs to a dataset with other bytes is a 409.",
  request: {
    query: z.object({
      name: z.string().refine(
        isDatasetName,
        "1 to 100 characters, no slash, no control or direction characters, no line breaks, not . or .., not an id",
      ).openapi({
        example: "shakespeare",
        description:
          "What to call it: 1 to 100 characters without slashes, control and direction characters, and unlike an id.",
      }),
    }),
    headers: IdempotencyHeader,
    body: {
      required: true,
      content: {
        "text/plain": {
          schema: z.string().openapi({ description: "The text, in UTF-8." }),
          example: "Once upon a time there was a fox.\n",
        },
      },
    },
  },
  responses: {
    201: json(Dataset, "Stored"),
    200: json(Dataset, "These bytes are stored already: the first one"),
    ...problems(400, 401, 409, 413, 415, 422),
  },
});

const list = createRoute({
  method: "get",
  path: "/",
  operationId: "listDatasets",
  summary: "Datasets, newest first",
  request: { query: pageQuery(idCursor("ds")) },
  responses: { 200: json(listOf(Dataset), "A page"), ...problems(400, 401) },
});

const get = createRoute({
  method: "get",
  path: "/{id}",
  operationId: "getDataset",
  summary: "A dataset by id or name",
  request: { params: IdParam },
  responses: { 200: json(Dataset, "The dataset"), ...problems(401, 404) },
});

const preview = createRoute({
  method: "get",
  path: "/{id}/preview",
  operationId: "previewDataset",
  summary: "A piece of the text",
  request: {
    params: IdParam,
    query: z.object({
      offset: z.coerce.number().int().min(0).max(2 ** 40).default(0).openapi({ description: "Code points to skip." }),
      limit: z.coerce.number().int().min(1).max(100_000).default(1000).openapi({
        description: "Code points to give.",
      }),
    }),
  },
  responses: {
    200: json(
      z.object({
        dataset_id: z.string().describe("The dataset."),
        offset: z.int().describe("Where the piece begins, in code points."),
        limit: z.int().describe("Code points that were asked for."),
        characters: z.int().describe("Code points of the whole text."),
        text: z.string().describe("The piece."),
      }).openapi("DatasetPreview", { description: "A piece of a text." }),
      "`characters` is the length of the whole text",
    ),
    ...problems(400, 401, 404),
  },
});

const remove = createRoute({
  method: "delete",
  path: "/{id}",
  operationId: "deleteDataset",
  summary: "Delete a dataset",
  request: { params: IdParam },
  responses: { 204: { description: "Deleted" }, ...problems(401, 404, 409) },
});

export function datasetRoutes(reverie: Reverie) {
  const { datasets } = reverie;
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(upload, async (c) => {
    const type = c.req.header("content-type");
    if (type?.split(";")[0].trim().toLowerCase() !== "text/plain") {
      throw new UnsupportedMediaTypeError(type, "text/plain");
    }
    const charset = /charset="?([^";\s]+)/i.exec(type)?.[1].toLowerCase() ?? "utf-8";
    if (!["utf-8", "utf8", "us-ascii"].includes(charset)) {
      throw new UnsupportedMediaTypeError(type, "text/plain; charset=utf-8");
    }
    if (Number(c.req.header("content-length") ?? 0) > reverie.maxUploadBytes) {
      throw new PayloadTooLargeError(reverie.maxUploadBytes);
    }
    const body = c.req.raw.body;
    if (body === null) throw new UnprocessableError("the text is empty: send at least one character");
    const { name } = c.req.valid("query");
    const received = await datasets.receive(body, reverie.maxUploadBytes);
    let kept = false;
    try {
      const bodySha256 = createHash("sha256").update(`${name}\n${received.sha256}`).digest("hex");
      const { status, body: dataset } = await createOnce(c, reverie, () => {
        const { dataset, created } = datasets.admit(received, name);
        return { status: created ? 201 : 200, body: dataset };
      }, bodySha256);
      kept = dataset.id === received.id;
      if (status !== 201) return c.json(dataset, 200);
      c.header("location", `/api/datasets/${dataset.id}`);
      return c.json(dataset, 201);
    } finally {
      if (!kept) await datasets.discard(received);
    }
  });

  app.openapi(list, (c) => {
    const { limit, after = null } = c.req.valid("query");
    const rows = datasets.list({ after, limit: limit + 1 });
    return c.json(page(rows, limit, (row) => row, (row) => row.id), 200);
  });

  app.openapi(get, (c) => c.json(datasets.get(c.req.valid("param").id), 200));

  app.openapi(preview, async (c) => {
    const dataset = datasets.get(c.req.valid("param").id);
    const { offset, limit } = c.req.valid("query");
    const text = await readCharacters(datasets.path(dataset.id), { offset, limit });
    return c.json({ dataset_id: dataset.id, offset, limit, characters: dataset.characters, text }, 200);
  });

  app.openapi(remove, async (c) => {
    await datasets.remove(c.req.valid("param").id);
    return c.body(null, 204);
  });

  return app;
}
