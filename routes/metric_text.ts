import { PulledBody } from "#src/pulled_body.ts";
import type { Curve, Points } from "#src/runs/curve.ts";
import type { Reading } from "#src/runs/reading.ts";

/** How much of a curve an answer holds: at most one of the two is given. */
export interface Reduction {
  max_points?: number;
  buckets?: number;
}

export type NamedCurve = readonly [name: string, curve: Curve];
type Text = AsyncGenerator<string>;

/** Numbers of one piece of text. */
const PIECE = 5000;

/** A response that is written while it is made: the next piece is made once the client has taken the one before. */
export function writtenResponse(text: Text, reading: Reading, type: string): Response {
  const encoder = new TextEncoder();
  const body = new PulledBody({
    async next() {
      if (reading.isAbandoned) return null;
      try {
        const { done, value } = await text.next();
        return done ? null : encoder.encode(value);
      } catch (error) {
        if (reading.isAbandoned) return null;
        throw error; // the client sees a body cut off
      }
    },
    leave: () => reading.abandon(),
  });
  return new Response(body, { headers: { "content-type": type } });
}

/** `{"run_id":…,"series":{…}}` */
export async function* runJson(runId: string, curves: NamedCurve[], reduction: Reduction, reading: Reading): Text {
  yield `{"run_id":${JSON.stringify(runId)},"series":{`;
  for (const [i, [name, curve]] of curves.entries()) {
    yield `${i === 0 ? "" : ","}${JSON.stringify(name)}:`;
    yield* seriesJson(curve, reduction, reading);
  }
  yield "}}";
}

async function* seriesJson(curve: Curve, { max_points, buckets }: Reduction, reading: Reading): Text {
  if (buckets !== undefined) {
    yield JSON.stringify(await curve.buckets(buckets, reading));
    return;
  }
  const reduced = max_points === undefined ? null : await curve.extremes(max_points, reading);
  const slices = () => reduced === null ? curve.slices() : slicesOf(reduced);
  let total = 0;
  yield '{"steps":[';
  for (const { steps } of slices()) {
    yield (total === 0 ? "" : ",") + steps.join();
    total += steps.length;
    await reading.turn();
  }
  yield '],"values":[';
  let written = 0;
  for (const { values } of slices()) {
    yield (written === 0 ? "" : ",") + JSON.stringify(values).slice(1, -1);
    written += values.length;
    await reading.turn();
  }
  if (written !== total) throw new Error("the run went back to a checkpoint while its points were read");
  yield `],"total_points":${reduced?.total_points ?? total}}`;
}

function* slicesOf({ steps, values }: Points): Generator<Points> {
  for (let from = 0; from < steps.length; from += PIECE) {
    yield { steps: steps.slice(from, from + PIECE), values: values.slice(from, from + PIECE) };
  }
}

/** How a row is written: its columns' names are given for the first line of CSV. */
interface RowFormat {
  head: (columns: string[]) => string;
  row: (columns: string[], values: (string | number | null)[]) => string;
}

export const ROW_FORMATS: Record<"text/csv" | "application/x-ndjson", RowFormat> = {
  "text/csv": {
    head: (columns) => `${columns.join()}\n`,
    row: (_, values) => `${values.map((value) => value ?? "").join()}\n`,
  },
  "application/x-ndjson": {
    head: () => "",
    row: (columns, values) => `${JSON.stringify(Object.fromEntries(columns.map((name, i) => [name, values[i]])))}\n`,
  },
};

const POINT = ["name", "step", "value"];
const BUCKET = ["steps", "mean", "min", "max", "count", "nonfinite"] as const;

/** A row for each point, or each bucket. */
export async function* rows(
  curves: NamedCurve[],
  { max_points, buckets }: Reduction,
  { head, row }: RowFormat,
  reading: Reading,
): Text {
  const columns = buckets === undefined ? POINT : ["name", "step", ...BUCKET.slice(1)];
  yield head(columns);
  for (const [name, curve] of curves) {
    if (buckets !== undefined) {
      const kept = await curve.buckets(buckets, reading);
      yield kept.steps.map((_, i) => row(columns, [name, ...BUCKET.map((key) => kept[key][i])])).join("");
      continue;
    }
    const slices = max_points === undefined ? curve.slices() : slicesOf(await curve.extremes(max_points, reading));
    for (const { steps, values } of slices) {
      yield steps.map((step, i) => row(columns, [name, step, values[i]])).join("");
      await reading.turn();
    }
  }
}
