import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { join } from "node:path";
import { NotFoundError } from "#src/errors.ts";
import type { Checkpoint } from "#src/runs/checkpoint_store.ts";
import { downloadsOf } from "#src/runs/downloads.ts";
import type { RunRow } from "#src/runs/run_store.ts";
import { type AppEnv, IdParam, json, listOf, NumericCursor, page, pageQuery, problems } from "./common.ts";
import type { Reverie } from "#src/runs/reverie.ts";
import { headerRefs } from "./refusals.ts";
import { serveFile } from "./serve_file.ts";

const CheckpointView = z.object({
  id: z.string().describe("`ckpt_` and a ULID."),
  run_id: z.string().describe("The run whose weights it holds."),
  step: z.int().describe("Updates that the weights have had."),
  train_loss: z.number().nullable().describe("Training loss at that step, in nats per token; null at step 0."),
  val_loss: z.number().nullable().describe(
    "Validation loss at that step, in nats per token; null if it was not evaluated there.",
  ),
  bytes: z.int().describe("Size of all its files, in bytes."),
  files: z.array(z.object({
    name: z.string().describe("Ask for it under this name."),
    bytes: z.int().describe("Its size, in bytes."),
    sha256: z.string().describe("Its SHA-256 in hexadecimal, which is its ETag too."),
  })).describe("The files of the model."),
  created_at: z.iso.datetime().describe("When it was taken."),
  is_best: z.boolean().openapi({ description: "The run's lowest validation loss among its checkpoints." }),
}).openapi("Checkpoint", { description: "A run's weights at a step." });

const list = createRoute({
  method: "get",
  path: "/runs/{id}/checkpoints",
  operationId: "listCheckpoints",
  summary: "A run's checkpoints, newest step first",
  request: { params: IdParam, query: pageQuery(NumericCursor) },
  responses: { 200: json(listOf(CheckpointView), "A page"), ...problems(400, 401, 404) },
});

const get = createRoute({
  method: "get",
  path: "/checkpoints/{id}",
  operationId: "getCheckpoint",
  summary: "A checkpoint",
  request: { params: IdParam },
  responses: { 200: json(CheckpointView, "The checkpoint"), ...problems(401, 404) },
});

const remove = createRoute({
  method: "delete",
  path: "/checkpoints/{id}",
  operationId: "deleteCheckpoint",
  summary: "Delete a checkpoint and its files",
  request: { params: IdParam },
  responses: { 204: { description: "Deleted" }, ...problems(401, 404) },
});

const content = {
  "application/octet-stream": { schema: z.string().openapi({ format: "binary" }) },
  "application/json": { schema: z.unknown() },
};

const FILE_HEADERS = ["ETag", "Accept-Ranges", "Content-Length", "Content-Disposition"];
const FileHeaders = z.object({
  "range": z.string().optional().openapi({
    description: "One range of bytes, such as `bytes=0-1023`; several at once get the whole file.",
    example: "bytes=0-1023",
  }),
  "if-range": z.string().optional().openapi({
    description: "An ETag: the range is given only if the file still has it, else the whole file.",
  }),
  "if-none-match": z.string().optional().openapi({
    description: "ETags, with commas between: if the file has one of them the answer is 304, without a body.",
  }),
});

const file = createRoute({
  method: "get",
  path: "/checkpoints/{id}/files/{name}",
  operationId: "getCheckpointFile",
  summary: "A checkpoint's file",
  description: "Ranges, If-Range and If-None-Match work; the ETag is the file's SHA-256.",
  request: {
    params: IdParam.extend({
      name: z.string().max(200).openapi({
        description: "A name out of the checkpoint's `files`.",
        example: "model.safetensors",
      }),
    }),
    headers: FileHeaders,
  },
  responses: {
    200: { description: "The whole file.", content, headers: headerRefs(FILE_HEADERS) },
    206: {
      description: "The range that was asked for.",
      content,
      headers: headerRefs([...FILE_HEADERS, "Content-Range"]),
    },
    304: {
      description: "The client has the file already.",
      headers: headerRefs(["ETag", "Accept-Ranges", "Content-Disposition"]),
    },
    ...problems(401, 404, 416),
  },
});

/** Mounted at `/api`. */
export function checkpointRoutes({ checkpoints, runs }: Reverie) {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(list, (c) => {
    const run = runs.get(c.req.valid("param").id);
    const { limit, after = null } = c.req.valid("query");
    const best = checkpoints.bestOf(run.id);
    const rows = checkpoints.list(run.id, { after, limit: limit + 1 });
    return c.json(page(rows, limit, (row) => show(row, run, best), (row) => String(row.step)), 200);
  });

  app.openapi(get, (c) => {
    const checkpoint = checkpoints.get(c.req.valid("param").id);
    return c.json(show(checkpoint, runs.get(checkpoint.run_id), checkpoints.bestOf(checkpoint.run_id)), 200);
  });

  app.openapi(remove, async (c) => {
    await checkpoints.remove(c.req.valid("param").id);
    return c.body(null, 204);
  });

  app.openapi(file, (c) => {
    const { id, name } = c.req.valid("param");
    const checkpoint = checkpoints.get(id);
    // The path is made of what the trainer reported, never of what the client sent.
    const listed = downloadsOf(checkpoint, runs.get(checkpoint.run_id).config).find((file) => file.name === name);
    if (!listed) throw new NotFoundError(`file in ${id}`, name);
    const { bytes, sha256 } = listed;
    const source = listed.content ?? join(checkpoints.folder(checkpoint), listed.name);
    return serveFile(c.req.raw, { name: listed.name, bytes, sha256, source });
  });

  return app;
}

function show(checkpoint: Checkpoint, { config }: RunRow, best: string | undefined): z.output<typeof CheckpointView> {
  const { directory: _, resume_only: __, ...shown } = checkpoint;
  const files = downloadsOf(checkpoint, config).map(({ name, bytes, sha256 }) => ({ name, bytes, sha256 }));
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return { ...shown, files, bytes, is_best: checkpoint.id === best };
}
