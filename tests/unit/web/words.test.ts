import { describe, expect, test } from "bun:test";
import { ApiError } from "#src/web/api.js";
import { decimalSign, parseNumber, readNumber } from "#src/web/numbers.js";
import { runBody } from "#src/web/run_body.js";
import { adviceFor } from "#src/web/advice.js";
import { shapeName } from "#src/web/presets.js";
import { explain, explainSignIn, inWords, reasonsOf, sayRefusal } from "#src/web/words.js";
import { RunRequest } from "#src/train/config.ts";
import type { Run, RunConfig } from "#src/web/types.d.ts";

/** What a browser or a validator says, and nobody should have to read. */
const FOREIGN = /failed to fetch|networkerror|invalid input|expected|received|too (small|big):|zod|_|undefined/i;

describe("numbers as people type them", () => {
  test.each([
    ["0,003", ".", 0.003],
    ["0,003", ",", 0.003],
    ["0.003", ",", 0.003],
    ["3e-3", ".", 0.003],
    ["3E−3", ".", 0.003],
    ["3,5e-4", ".", 0.00035],
    [" 1 000 ", ".", 1000],
    ["1\u202f000", ",", 1000],
    ["1’000", ".", 1000],
    ["1,000", ".", 1000],
    ["1,000", ",", 1],
    ["1.000", ",", 1000],
    ["1.000", ".", 1],
    ["1,234,567", ",", 1234567],
    ["1.234,5", ".", 1234.5],
    ["1,234.5", ",", 1234.5],
    [".5", ".", 0.5],
  ])("%s where decimals begin with %s", (typed, decimal, value) => expect(parseNumber(typed, decimal)).toBe(value));

  test.each(["", "banana", "0x10", "Infinity", "1,2,3.4.5", "3e", "--1"])("%j is none", (typed) => {
    expect(parseNumber(typed, ".")).toBeNaN();
  });

  test("the reader's language says how decimals begin", () => {
    expect(["en", "de", "fr", "zh"].map(decimalSign)).toEqual([".", ",", ",", "."]);
  });

  test("what cannot be read is said in words, with an example", () => {
    expect(readNumber("", { whole: true, decimal: "." })).toEqual({ message: "Enter a number, such as 2." });
    expect(readNumber("banana", { whole: false, decimal: "," })).toEqual({
      message: "“banana” is not a number. Enter one such as 0,003 or 3e-3.",
    });
    expect(readNumber("2.5", { whole: true, decimal: "." })).toEqual({ message: "Enter a whole number, such as 3." });
  });
});

const FORM: Record<string, string> = {
  name: " first ",
  dataset: "sample",
  "model.n_layer": "2",
  "model.n_head": "2",
  "model.n_embd": "64",
  "context_length": "64",
  "max_steps": "2 000",
  "optimizer.learning_rate": "0,005",
  "sample.prompt": "Once upon a time",
};

describe("a run's body", () => {
  test("is what was typed, and one that the service takes", () => {
    const read = runBody((name) => FORM[name], ",", null);
    if ("errors" in read) throw new Error(JSON.stringify(read.errors));
    expect(read.body).toMatchObject({
      name: "first",
      max_steps: 2000,
      optimizer: { learning_rate: 0.005 },
      eval: { every: 200 },
    });
    expect(RunRequest.safeParse(read.body).success).toBe(true);
  });

  test("names each field that cannot be read", () => {
    const read = runBody((name) => ({ ...FORM, "model.n_layer": "", max_steps: "many" })[name]!, ".", null);
    expect("errors" in read && read.errors.map(({ path }) => path)).toEqual(["model.n_layer", "max_steps"]);
  });

  test("of a run again keeps what the form does not ask for, and lets the floor of the rate follow the rate", () => {
    const base = {
      name: "old",
      tokenizer: { kind: "byte", vocab_size: 256 },
      model: { architecture: "gpt2", n_layer: 2, n_head: 2, n_embd: 64 },
      context_length: 64,
      batch_size: 5,
      max_steps: 2000,
      optimizer: { kind: "adamw", learning_rate: 1, min_learning_rate: 0.1, warmup_steps: 7 },
      eval: { every: 9, batches: 3 },
      sample: { every: 9, prompt: "x", temperature: 0.1 },
      checkpoint: { every: 9, keep: 1 },
    } as RunConfig;
    const read = runBody((name) => FORM[name], ",", base);
    if ("errors" in read) throw new Error(JSON.stringify(read.errors));
    expect(read.body).toMatchObject({
      batch_size: 5,
      tokenizer: { kind: "byte" },
      optimizer: { learning_rate: 0.005, warmup_steps: 7 },
      eval: { every: 200, batches: 3 },
      sample: { temperature: 0.1, prompt: "Once upon a time" },
      checkpoint: { keep: 1 },
    });
    expect(read.body.optimizer).not.toHaveProperty("min_learning_rate");
    expect(RunRequest.safeParse(read.body).success).toBe(true);
  });
});

test("a shape is called by its sizes", () => {
  const model = { n_layer: 4, n_head: 4, n_embd: 128 };
  expect(shapeName({ model, context_length: 64 })).toBe("nano");
  expect(shapeName({ model: { ...model, n_layer: 3 }, context_length: 64 })).toBe("custom");
  expect(shapeName({ model: { n_layer: 2, n_head: 2, n_embd: 64 }, context_length: 64 })).toBe("tiny");
});

describe("errors in words", () => {
  test("nothing that zod says of a run's body reaches people", () => {
    const bodies = [
      { dataset: "" },
      { dataset: "x", max_steps: "many", context_length: 0.5, batch_size: 0 },
      { dataset: "x", optimizer: { learning_rate: -1 }, model: { n_layer: 5000, preset: "huge" }, name: " " },
      { dataset: "x", nonsense: 1, seed: -1, tokenizer: null },
      null,
    ];
    const said = bodies.flatMap((body) => {
      const { error } = RunRequest.safeParse(body);
      return error!.issues.map(({ path, message }) => sayRefusal(path.join("."), message));
    });
    expect(said.length).toBeGreaterThan(8);
    for (const sentence of said) {
      expect(sentence).not.toMatch(FOREIGN);
      expect(sentence).toMatch(/^[A-Z“].*\.$/);
    }
  });

  test("the service's names become the form's", () => {
    expect(inWords("n_embd (30) must be a multiple of n_head (4)")).toBe("Width (30) must be a multiple of heads (4).");
    expect(inWords("the training split has 41 tokens; a window of context_length 64 needs 65"))
      .toBe("The training split has 41 tokens; a window of context 64 needs 65.");
    expect(inWords("lower optimizer.learning_rate, raise optimizer.warmup_steps or set optimizer.grad_clip"))
      .toBe("Lower the learning rate, raise the warm-up or set the gradient clipping.");
  });

  test("no answer, a fault of the server and one of the page are told apart, and none in its own words", () => {
    const of = (status: number, detail: string) => explain(new ApiError({ title: "T", status, detail }));
    expect(explain(new TypeError("Failed to fetch"))).toMatch(/^The server does not answer/);
    expect(of(500, "Internal")).toMatch(/^The server failed/);
    expect(of(503, "nothing can be written now: the database is locked")).toContain("the database is locked");
    expect(of(404, 'there is no run "x"')).toMatch(/deleted/);
    expect(explain(new RangeError("x is not iterable"))).not.toContain("iterable");
    expect(explainSignIn(new ApiError({ title: "T", status: 401 }))).toMatch(/^That token is not one/);
    expect(reasonsOf(new TypeError("Failed to fetch"))).toEqual([
      { path: "", message: explain(new TypeError("Failed to fetch")) },
    ]);
  });
});

test("a run that diverged is advised a lower rate, another one its own", () => {
  const run = (learning_rate: number, error: string | null, kind = "adamw") =>
    ({ config: { optimizer: { kind, learning_rate } }, error, skipped_steps: 0 }) as Run;
  const diverged = "the gradient was not finite for 10 steps in a row: lower optimizer.learning_rate";
  expect(adviceFor(run(1e3, diverged)).learningRate).toBe(3e-3);
  expect(adviceFor(run(5e-3, diverged)).learningRate).toBe(5e-4);
  expect(adviceFor(run(1e3, diverged, "sgd")).learningRate).toBe(100);
  expect(adviceFor(run(5e-3, "the GPU was lost"))).toEqual({ label: null, learningRate: 5e-3 });
});
