import type { Event } from "../server/client.ts";

/** One thing of a run's history that lasts: a step, or what was done after one. */
export interface Entry {
  type: "step" | "evaluated" | "sampled" | "checkpointed";
  step: number;
  [fact: string]: unknown;
}

/** Of the run as its events tell it. */
type Phase = "none" | "queued" | "running" | "paused" | "over";

/** From which phases an event may come, and which it leads to; null: it stays the same. */
const TRANSITIONS: Record<string, { from: Phase[]; to: Phase | null }> = {
  "run.queued": { from: ["none"], to: "queued" },
  "run.started": { from: ["queued"], to: "running" },
  "run.progress": { from: ["running"], to: null },
  "run.evaluated": { from: ["running"], to: null },
  "run.sampled": { from: ["running"], to: null },
  "run.checkpointed": { from: ["running"], to: null },
  "run.checkpoint_corrupt": { from: ["queued", "running", "paused"], to: null },
  "run.paused": { from: ["queued", "running"], to: "paused" },
  "run.resumed": { from: ["paused"], to: "queued" },
  "run.interrupted": { from: ["queued", "running"], to: "queued" },
  "run.succeeded": { from: ["running"], to: "over" },
  "run.failed": { from: ["queued", "running"], to: "over" },
  "run.cancelled": { from: ["queued", "running", "paused"], to: "over" },
};

/**
 * What a run's events come to when each start takes back what an earlier attempt did past its checkpoint: the history
 * of a run that nothing disturbed.
 * @throws Error naming the first event that cannot stand where it stands
 */
export function retrace(events: readonly Event[]): Entry[] {
  let phase: Phase = "none";
  let sequence = 0;
  let interruptions = 0;
  let history: { entry: Entry; checkpointId?: unknown }[] = [];
  for (const event of events) {
    const { type, data } = event;
    const refuse = (why: string): never => {
      throw new Error(`event ${event.sequence}, ${type} ${JSON.stringify(data).slice(0, 200)}: ${why}`);
    };
    if (event.sequence <= sequence) refuse(`comes after ${sequence}`);
    sequence = event.sequence;
    const transition = TRANSITIONS[type] ?? refuse("is of no known type");
    if (!transition.from.includes(phase)) refuse(`the run is ${phase}`);
    phase = transition.to ?? phase;

    const last = history.findLast(({ entry }) => entry.type === "step")?.entry.step ?? 0;
    switch (type) {
      case "run.interrupted":
        interruptions++;
        if (data.attempts !== interruptions) refuse(`it is interruption ${interruptions}`);
        break;
      case "run.started": {
        if (data.attempts !== interruptions) refuse(`it comes after ${interruptions} interruptions`);
        const from = history.findLastIndex(({ entry }) => entry.type === "checkpointed" && entry.step === data.step);
        if (from === -1 && data.step !== 0) refuse("there is no checkpoint of that step");
        history = history.slice(0, from + 1);
        break;
      }
      case "run.checkpoint_corrupt":
        if (!history.some(({ checkpointId }) => checkpointId === data.checkpoint_id)) refuse("was never taken");
        history = history.filter(({ checkpointId }) => checkpointId !== data.checkpoint_id);
        break;
      case "run.progress": {
        const points = data.points as { step: number; [fact: string]: number }[];
        points.forEach(({ step }, i) => step === last + 1 + i || refuse(`step ${step} follows ${last + i}`));
        history.push(...points.map((point) => ({ entry: { ...point, type: "step" as const } })));
        break;
      }
      case "run.evaluated":
      case "run.sampled":
      case "run.checkpointed": {
        if (data.step !== last) refuse(`the run is at step ${last}`);
        const { checkpoint_id: checkpointId, elapsed_ms: _, ...facts } = data;
        const entry = { ...facts, type: type.slice("run.".length), step: last } as Entry;
        // A checkpoint of a stop amid the work of a step is replaced once that is done.
        history = history.filter((of) =>
          entry.type !== "checkpointed" || of.entry.type !== entry.type || of.entry.step !== last
        );
        history.push({ entry, checkpointId });
        break;
      }
    }
  }
  return history.map(({ entry }) => entry);
}

/** Steps and values of the curve of training losses. */
export function lossesOf(history: readonly Entry[]): { steps: number[]; values: unknown[] } {
  const steps = history.filter(({ type }) => type === "step");
  return { steps: steps.map(({ step }) => step), values: steps.map(({ loss }) => loss) };
}
