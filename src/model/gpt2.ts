import { selectRow } from "#kernels/select_row.ts";
import { type Matrix, matrixColumns, matrixIn } from "../gpu/matrix.ts";
import type { BufferRange, Memory, Tensor } from "../gpu/memory.ts";
import type { Plan } from "../gpu/plan.ts";
import { recordAttentionBackward, recordAttentionForward } from "../nn/attention.ts";
import { recordEmbeddingBackward, recordEmbeddingForward } from "../nn/embedding.ts";
import { recordLayerNormBackward, recordLayerNormForward } from "../nn/layernorm.ts";
import {
  type LinearDims,
  recordLinear,
  recordLinearBackwardInput,
  recordLinearBackwardParameters,
  recordLinearGelu,
  recordLinearResidual,
} from "../nn/linear.ts";
import { type LossHeadGradients, recordLogits, recordLossHead } from "../nn/loss_head.ts";
import {
  type ActivationSpec,
  activationTables,
  type BlockActivations,
  type Recompute,
  type SharedActivations,
} from "./activations.ts";
import type { Arena } from "./arena.ts";
import { LAYERNORM_EPSILON, type ModelConfig } from "./config.ts";
import { type Precision, storageOf } from "./storage.ts";
import { matricesIn, matrixOf, WeightMatrices } from "./weight_matrices.ts";

/** One micro-batch on the GPU. */
export interface BatchTensors {
  /** The `Step` uniform. */
  step: BufferRange;
  inputs: BufferRange; // (N) u32
  targets: BufferRange; // (N) u32, 0xFFFFFFFF: none
  order: BufferRange; // (N) u32, rows sorted by input token
  segments: BufferRange; // (N + 1) u32, starts in `order`
  loss_scale: BufferRange; // (1) f32, what gradients come multiplied by
}

export interface Gpt2Options {
  /** B: the largest batch that plans may ask for. */
  batchSize: number;
  precision: Precision;
  recompute: Recompute;
}

type Block = BlockActivations<Matrix, Tensor>;

/**
 * GPT-2: learned positions, pre-LayerNorm blocks of causal attention and a tanh-GELU MLP, head tied to the embedding.
 * Owns the activations of one batch shape; records forward and backward passes into plans.
 */
export class Gpt2 {
  readonly #blocks: Block[];
  readonly #shared: SharedActivations<Matrix, Tensor>;
  readonly #weights: WeightMatrices;

  constructor(
    readonly config: ModelConfig,
    readonly options: Gpt2Options,
    parameters: Arena,
    readonly gradients: Arena,
    memory: Memory,
  ) {
    const traits = { ...memory.gpu.identity, ...memory.gpu.limits };
    this.#weights = new WeightMatrices(parameters, config, options.precision, traits, memory);
    const tables = activationTables(config, {
      ...options,
      storageOf: storageOf(config, options.precision, traits),
      tableIsSplit: this.#table.length > 1,
    });
    const allocate = (prefix: string, specs: object) =>
      Object.fromEntries(
        Object.entries(specs as Record<string, ActivationSpec>).map(([name, spec]) => [
          name,
          spec.kind === "vector"
            ? memory.tensor("activations", prefix + name, spec.shape)
            : memory.matrix("activations", prefix + name, [spec.rows, spec.columns], spec.storage),
        ]),
      );
    const inTurn = allocate("h.*.", tables.inTurn);
    this.#blocks = Array.from(
      { length: config.n_layer },
      (_, layer) => ({ ...inTurn, ...allocate(`h.${layer}.`, tables.own) }) as unknown as Block,
    );
    this.#shared = allocate("", tables.shared) as unknown as SharedActivations<Matrix, Tensor>;
  }

  /** After the parameters changed: brings up to date what the passes read of them. */
  recordRefresh(plan: Plan): void {
    this.#weights.recordRefresh(plan);
  }

  /** Loss and gradients of one micro-batch: `total` (1) and the gradient arena grow. */
  recordTraining(plan: Plan, batch: BatchTensors, total: BufferRange): void {
    const { dropout } = this.config;
    this.#recordForward(plan, batch.inputs, batch.step, this.options.batchSize, dropout);
    const dtable = matricesIn(this.gradients, TABLE);
    this.#recordLoss(plan, batch, total, { dx: this.#dfinal, dtable });
    this.#recordBackward(plan, batch);
  }

  /** Loss of one batch, without dropout: `total` (1) grows. */
  recordEvaluation(
    plan: Plan,
    batch: Pick<BatchTensors, "step" | "inputs" | "targets" | "loss_scale">,
    total: BufferRange,
  ): void {
    this.#recordForward(plan, batch.inputs, batch.step, this.options.batchSize, 0);
    this.#recordLoss(plan, batch, total, null);
  }

  /** Logits (1, V) of the token after the `state[0]` tokens of a context (T); shares the training's activations. */
  recordNextToken(plan: Plan, tokens: BufferRange, state: BufferRange, step: BufferRange): Matrix {
    const { n_embd: channels } = this.config;
    const { final, selected, logits } = this.#shared;
    this.#recordForward(plan, tokens, step, 1, 0);
    plan.record(selectRow, { state, x: final, y: selected }, { channels });
    recordLogits(plan, { x: selected, table: this.#table, logits }, { rows: 1, channels });
    return logits;
  }

  /** The products with the pieces of a split table add up, which a texture cannot. */
  get #dfinal(): Matrix {
    const { dfinal, dnormed } = this.#shared;
    return this.#table.length > 1 && dnormed.storage.kind === "texture" ? dfinal : dnormed;
  }

  get #table() {
    return this.#weights.shards(TABLE);
  }

  #recordForward(plan: Plan, tokens: BufferRange, step: BufferRange, batch: number, dropout: number): void {
    const { n_embd: channels, context_length: context } = this.config;
    const { embedded, final, finalMean: mean, finalRstd: rstd } = this.#shared;
    const rows = batch * context;
    const positions = this.#weights.matrix("transformer.wpe.weight");
    recordEmbeddingForward(
      plan,
      { step, tokens, table: this.#table, positions, x: embedded },
      { batch, context, channels },
      { site: EMBEDDING_SITE, dropout },
    );
    let x = embedded;
    for (const [layer, a] of this.#blocks.entries()) {
      const pass = { plan, step, layer, a, x, batch, dropout };
      this.#recordAttention(pass);
      this.#recordProjection(pass, "attn", a.attention, x, a.middle);
      this.#recordMlp(pass);
      this.#recordProjection(pass, "mlp", a.gelu, a.middle, a.output);
      x = a.output;
    }
    recordLayerNormForward(plan, { x, ...this.#parametersOf("transformer.ln_f"), y: final, mean, rstd }, {
      rows,
      channels,
      epsilon: LAYERNORM_EPSILON,
    });
  }

  /** From the residual stream `x` to what the attention found. */
  #recordAttention({ plan, step, layer, a, x, batch, dropout }: BlockPass): void {
    const { n_head: heads, n_embd: channels, context_length: context } = this.config;
    const name = `transformer.h.${layer}`;
    const rows = batch * context;
    recordLayerNormForward(plan, { x, ...this.#parametersOf(`${name}.ln_1`), y: a.ln1, mean: a.mean1, rstd: a.rstd1 }, {
      rows,
      channels,
      epsilon: LAYERNORM_EPSILON,
    });
    recordLinear(plan, { x: a.ln1, ...this.#parametersOf(`${name}.attn.c_attn`), y: a.qkv }, {
      rows,
      inputs: channels,
      outputs: 3 * channels,
    });
    recordAttentionForward(plan, { step, qkv: a.qkv, y: a.attention, lse: a.lse }, {
      batch,
      heads,
      context,
      head_size: channels / heads,
      site: blockSites(layer).attention,
      dropout,
    });
  }

  /** From the residual stream between the halves to the MLP's activated hidden layer. */
  #recordMlp({ plan, layer, a, batch }: BlockPass): void {
    const { n_embd: channels, context_length: context } = this.config;
    const name = `transformer.h.${layer}`;
    const rows = batch * context;
    recordLayerNormForward(
      plan,
      { x: a.middle, ...this.#parametersOf(`${name}.ln_2`), y: a.ln2, mean: a.mean2, rstd: a.rstd2 },
      { rows, channels, epsilon: LAYERNORM_EPSILON },
    );
    recordLinearGelu(plan, { x: a.ln2, ...this.#parametersOf(`${name}.mlp.c_fc`), hidden: a.hidden, y: a.gelu }, {
      rows,
      inputs: channels,
      outputs: 4 * channels,
    });
  }

  /** What ends a half of a block: y = residual + dropout(c_proj(x)). */
  #recordProjection(pass: BlockPass, half: "attn" | "mlp", x: Matrix, residual: Matrix, y: Matrix): void {
    const { plan, step, layer, batch, dropout } = pass;
    const { n_embd: channels, context_length: context } = this.config;
    recordLinearResidual(
      plan,
      { step, x, ...this.#parametersOf(`transformer.h.${layer}.${half}.c_proj`), residual, y },
      { rows: batch * context, inputs: half === "attn" ? channels : 4 * channels, outputs: channels },
      { site: blockSites(layer)[half], dropout },
    );
  }

  #recordLoss(
    plan: Plan,
    { step, targets, loss_scale }: Pick<BatchTensors, "step" | "targets" | "loss_scale">,
    total: BufferRange,
    gradients: LossHeadGradients | null,
  ): void {
    const { n_embd: channels, vocab_size: vocabulary, context_length: context } = this.config;
    const { final: x, logits, dlogits, losses } = this.#shared;
    const inPlace = logits.storage.kind !== "texture";
    recordLossHead(
      plan,
      { step, x, table: this.#table, targets, logits, dlogits: inPlace ? logits : dlogits, loss_scale, losses, total },
      gradients,
      { rows: this.options.batchSize * context, channels, vocabulary },
    );
  }

  #recordBackward(plan: Plan, { step, inputs, order, segments }: BatchTensors): void {
    const { n_head: heads, n_embd: channels, context_length: context, dropout } = this.config;
    const { batchSize: batch, recompute } = this.options;
    const shared = this.#shared;
    const { dnormed, dwide, delta } = shared;
    const rows = batch * context;
    const outputOf = (layer: number) => this.#blocks[layer]?.output ?? shared.embedded;
    let dresidual = shared.dresidual0;
    /** `dresidual` as the branch before gets it: through the dropout that ended it. */
    let dbranch = dresidual;

    const norm = (name: string, { x, mean, rstd, dy, add, site }: NormBackward) => {
      const dx = !add ? dresidual : dresidual === shared.dresidual0 ? shared.dresidual1 : shared.dresidual0;
      recordLayerNormBackward(
        plan,
        {
          x,
          weight: this.#parametersOf(name).weight,
          dy,
          dweight: matrixOf(this.gradients, `${name}.weight`),
          dbias: this.#biasGradient(name) ?? rowOf(shared.unused),
          mean,
          rstd,
        },
        {
          dresidual: add ? dresidual : null,
          dx,
          dropped: dropout > 0 ? { step, dbranch: shared.dbranch, dropout: { site, dropout } } : null,
        },
        { rows, channels },
      );
      dresidual = dx;
      dbranch = dropout > 0 ? shared.dbranch : dx;
    };
    const linear = (name: string, x: Matrix, dy: Matrix, dx: Matrix, dims: LinearDims, hidden?: Matrix) => {
      const dweight = matrixOf(this.gradients, `${name}.weight`);
      recordLinearBackwardInput(plan, { dy, weight: this.#weights.matrix(`${name}.weight`), hidden, dx }, dims);
      recordLinearBackwardParameters(plan, { x, dy, dweight, dbias: this.#biasGradient(name) }, dims);
    };
    const { finalMean: mean, finalRstd: rstd } = shared;
    const last = this.#blocks.length - 1;
    norm("transformer.ln_f", {
      x: outputOf(last),
      mean,
      rstd,
      dy: this.#dfinal,
      add: false,
      site: blockSites(last).mlp,
    });
    for (const [layer, a] of [...this.#blocks.entries()].reverse()) {
      const name = `transformer.h.${layer}`;
      const sites = blockSites(layer);
      const x = outputOf(layer - 1);
      // What the blocks take turns with still holds the last block's.
      if (recompute !== "none" && layer < last) {
        const pass = { plan, step, layer, a, x, batch, dropout };
        this.#recordAttention(pass);
        if (recompute === "block") {
          this.#recordProjection(pass, "attn", a.attention, x, a.middle);
          this.#recordMlp(pass);
        }
      }
      const wide = { rows, inputs: channels, outputs: 4 * channels };
      const narrow = { rows, inputs: 4 * channels, outputs: channels };
      linear(`${name}.mlp.c_proj`, a.gelu, dbranch, dwide, narrow, a.hidden);
      linear(`${name}.mlp.c_fc`, a.ln2, dwide, dnormed, wide);
      norm(`${name}.ln_2`, {
        x: a.middle,
        mean: a.mean2,
        rstd: a.rstd2,
        dy: dnormed,
        add: true,
        site: sites.attn,
      });
      const square = { rows, inputs: channels, outputs: channels };
      linear(`${name}.attn.c_proj`, a.attention, dbranch, dnormed, square);
      const dqkv = matrixColumns(dwide, 0, 3 * channels);
      recordAttentionBackward(plan, { step, qkv: a.qkv, y: a.attention, lse: a.lse, dy: dnormed, delta, dqkv }, {
        batch,
        heads,
        context,
        head_size: channels / heads,
        site: sites.attention,
        dropout,
      });
      linear(`${name}.attn.c_attn`, a.ln1, dqkv, dnormed, { rows, inputs: channels, outputs: 3 * channels });
      const site = layer > 0 ? blockSites(layer - 1).mlp : EMBEDDING_SITE;
      norm(`${name}.ln_1`, { x, mean: a.mean1, rstd: a.rstd1, dy: dnormed, add: true, site });
    }
    recordEmbeddingBackward(plan, {
      tokens: inputs,
      order,
      segments,
      dx: dbranch,
      dtable: matricesIn(this.gradients, TABLE),
      dpositions: matrixOf(this.gradients, "transformer.wpe.weight"),
    }, { batch, context, channels });
  }

  #parametersOf(name: string): { weight: Matrix; bias: Matrix } {
    return { weight: this.#weights.matrix(`${name}.weight`), bias: this.#weights.matrix(`${name}.bias`) };
  }

  /** Null in a model without biases: its stay at zero. */
  #biasGradient(name: string): Matrix | null {
    return this.config.bias ? matrixOf(this.gradients, `${name}.bias`) : null;
  }
}

/** The token embedding, and the head's weight. */
const TABLE = "transformer.wte.weight";

/** What recording a block's forward pass takes. */
interface BlockPass {
  plan: Plan;
  step: BufferRange;
  layer: number;
  a: Block;
  /** (N, C): the residual stream before the block. */
  x: Matrix;
  batch: number;
  dropout: number;
}

interface NormBackward {
  x: Matrix;
  mean: Tensor;
  rstd: Tensor;
  dy: Matrix;
  /** Whether the residual stream's gradient passes beside the LayerNorm. */
  add: boolean;
  /** The dropout that ended the branch before. */
  site: number;
}

/** Each dropout of the model draws its own masks. */
const EMBEDDING_SITE = 0;

/** `attention`: its weights; `attn` and `mlp`: what that half's projection adds to the residual stream. */
function blockSites(layer: number): { attention: number; attn: number; mlp: number } {
  return { attention: 3 * layer + 1, attn: 3 * layer + 2, mlp: 3 * layer + 3 };
}

function rowOf(tensor: Tensor): Matrix {
  const [columns] = tensor.shape;
  return matrixIn(tensor.name, tensor, 1, columns);
}
