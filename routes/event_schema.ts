import { z } from "@hono/zod-openapi";
import type { EventType } from "#src/db/schema.ts";
import { HEARTBEAT_MS, type RunEvent as LoggedEvent } from "#src/runs/event_log.ts";

/** The `data` of each type of event: a new type is one entry here. */

const Step = z.int().describe("Updates made.");
const Loss = z.number().nullable();
const BestLoss = Loss.describe("The run's lowest validation loss so far, in nats per token; null before the first.");
const MaxSteps = z.int().describe("Updates after which the run is done.");
const Attempts = z.int().describe("How often a crash or a restart put the run back into the queue.");
const Why = z.string().describe("What went wrong.");

const DatasetId = z.string().describe("The text's id.");

const RequestId = z.string().optional().describe("Id of the request that caused it, if one did.");

const Tuning = z.object({
  candidates_timed: z.int().describe("Variants of kernels that were timed for this run."),
  elapsed_ms: z.number().describe("How long the timing took, in milliseconds."),
  choices: z.array(z.object({
    kernel: z.string().describe("The kernel."),
    shape: z.string().describe("Sizes that it is called with."),
    variant: z.string().describe("The variant that was chosen."),
    speedup: z.number().nullable().describe("Over the variant taken without a choice; null if a checkpoint chose."),
  })).describe("The kernels for which something else than the usual variant was chosen."),
  note: z.string().nullable().describe("Why remembered choices could not be read or written; null if they could."),
}).describe("The variants of kernels that the run trains with.");

const Point = z.object({
  step: z.int().describe("The step."),
  loss: Loss.describe("Mean loss of the step's batch before its update, in nats per token; null if not finite."),
  lr: Loss.describe("Learning rate of the update."),
  grad_norm: Loss.describe("Global L2 norm of the gradient before clipping; null if not finite."),
});

export const EVENT_DATA = {
  "run.queued": {
    about: "A run was created.",
    data: z.object({
      name: z.string().describe("The run's name."),
      dataset_id: z.string().describe("The text it trains on."),
      max_steps: MaxSteps,
    }),
  },
  "run.started": {
    about: "A run began to train, or resumed after a crash, a restart or a pause. Points past `step` are void.",
    data: z.object({
      step: z.int().describe("Updates made already: those of the checkpoint that it resumes from."),
      max_steps: MaxSteps,
      attempts: Attempts,
      device: z.string().nullable().describe("Name of the GPU."),
      tuning: Tuning,
    }),
  },
  "run.progress": {
    about: "Steps were made; one event may cover several.",
    data: z.object({
      step: Step,
      max_steps: MaxSteps,
      points: z.array(Point).describe("One for each step since the last event, in order."),
      tokens_per_second: Loss.describe("Training speed of the last step, in tokens per second."),
      eta_seconds: Loss.describe("Seconds that the rest will take; null if not known yet."),
      skipped_steps: z.int().describe("Updates skipped so far because the gradient was not finite."),
    }),
  },
  "run.evaluated": {
    about: "The model was evaluated on the validation split.",
    data: z.object({
      step: Step,
      val_loss: Loss.describe("Mean validation loss, in nats per token; null if not finite."),
      val_perplexity: Loss.describe("e to the validation loss."),
      val_bpb: Loss.describe("Validation loss in bits per UTF-8 byte."),
      best_val_loss: BestLoss,
    }),
  },
  "run.sampled": {
    about: "The model wrote a text.",
    data: z.object({
      step: Step,
      prompt: z.string().describe("The text that it continues."),
      text: z.string().describe("What it wrote."),
      ignored: z.string().optional().describe(
        "Characters of the prompt that the vocabulary lacks, each once, in the order they come; absent if there are none.",
      ),
    }),
  },
  "run.checkpointed": {
    about: "A checkpoint is whole and on disk.",
    data: z.object({
      checkpoint_id: z.string().describe("The checkpoint."),
      step: Step,
      train_loss: Loss.describe("Training loss at that step, in nats per token; null at step 0."),
      val_loss: Loss.describe("Validation loss at that step, in nats per token; null if it was not evaluated there."),
      bytes: z.int().describe("Size of all its files, in bytes."),
      is_best: z.boolean().describe("Whether its validation loss is the run's lowest."),
      elapsed_ms: z.number().describe("Milliseconds from reading the GPU to the disk."),
    }),
  },
  "run.checkpoint_corrupt": {
    about: "A checkpoint's files are not what was written; an older checkpoint is taken.",
    data: z.object({
      checkpoint_id: z.string().describe("The checkpoint, which is no longer listed."),
      step: Step,
      problem: z.string().describe("What is wrong with its files."),
    }),
  },
  "run.paused": {
    about: "A run was paused, with a checkpoint: by a client, or because the data folder cannot be written.",
    data: z.object({
      step: Step,
      best_val_loss: BestLoss.optional(),
      error: Why.optional(),
      waits_for_storage: z.boolean().optional().describe(
        "Whether it resumes by itself once the folder can be written.",
      ),
    }),
  },
  "run.resumed": { about: "A paused run is queued again.", data: z.object({ step: Step }) },
  "run.interrupted": {
    about: "A running run lost its trainer; it is queued again and resumes from its last checkpoint.",
    data: z.object({ step: Step, attempts: Attempts, cause: z.string().describe("Why the trainer is gone.") }),
  },
  "run.succeeded": {
    about: "A run made all its steps.",
    data: z.object({ step: Step, best_val_loss: BestLoss }),
  },
  "run.failed": {
    about: "A run cannot go on.",
    data: z.object({ step: Step, best_val_loss: BestLoss.optional(), error: Why, attempts: Attempts.optional() }),
  },
  "run.cancelled": {
    about: "A run was stopped for good.",
    data: z.object({ step: Step, best_val_loss: BestLoss.optional() }),
  },
  "run.updated": {
    about: "A client changed a run's name, tags or priority.",
    data: z.object({
      name: z.string().describe("The run's name now."),
      changed: z.object({
        name: z.string().optional().describe("The new name."),
        tags: z.record(z.string(), z.string()).optional().describe("All tags, as they are now."),
        priority: z.int().optional().describe("The new priority."),
      }).describe("The fields that changed, with their new values."),
    }),
  },
  "run.deleted": {
    about: "A run was deleted. Its earlier events go; this one stays, and a stream of the run ends with it.",
    data: z.object({ name: z.string().describe("The run's name.") }),
  },
  "dataset.created": {
    about: "A text was stored. The same bytes under another name make no event.",
    data: z.object({
      id: DatasetId,
      name: z.string().describe("The name it was uploaded under."),
      bytes: z.int().describe("Size in bytes of UTF-8."),
      characters: z.int().describe("Length in code points."),
      documents: z.int().describe("Documents it was made of."),
    }),
  },
  "dataset.deleted": {
    about: "A text was deleted, with all its names.",
    data: z.object({
      id: DatasetId,
      name: z.string().describe("The first name it was uploaded under."),
      names: z.array(z.string()).describe("All names that found it."),
    }),
  },
} satisfies Record<EventType, { about: string; data: z.ZodObject }>;

/** `run.progress` → `RunProgressEvent` */
const nameOf = (type: string) => type.replaceAll(/(?:^|[._])(\w)/g, (_, letter) => letter.toUpperCase()) + "Event";

const variants = Object.entries(EVENT_DATA).map(([type, { about, data }]) =>
  z.object({
    type: z.literal(type).describe("What happened."),
    run_id: type.startsWith("run.")
      ? z.string().describe("The run.")
      : z.null().describe("Null: it belongs to no run."),
    sequence: z.int().describe("Counts up over all events; the `id` of a stream's message."),
    timestamp: z.iso.datetime().describe("When it happened."),
    data: z.object({ ...data.shape, request_id: RequestId }).describe("The facts."),
  }).openapi(nameOf(type), { description: about })
);

/** An event as the API shows it; `type` says what `data` holds. */
export const RunEvent = z.discriminatedUnion("type", variants as [typeof variants[0], ...typeof variants])
  .openapi("RunEvent", {
    description: "Something that happened; `type` says what `data` holds.",
  }) as unknown as z.ZodType<
    LoggedEvent
  >;

export const EVENT_STREAM = {
  schema: z.string().openapi({
    description:
      "Server-sent events. Each message has the event's sequence as `id`, its type as `event` and the whole " +
      `RunEvent as \`data\`; a comment every ${HEARTBEAT_MS / 1000} s keeps proxies awake.`,
  }),
  example:
    'id: 42\nevent: run.paused\ndata: {"type":"run.paused","run_id":"run_01J8ZQ4T5V6W7X8Y9Z0A1B2C3D","sequence":42,' +
    '"timestamp":"2026-01-31T12:00:00.000Z","data":{"step":100,"best_val_loss":2.31}}\n\n',
};
