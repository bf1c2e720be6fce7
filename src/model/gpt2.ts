import type { BufferRange, Memory, Tensor } from "../gpu/memory.ts";
import type { Plan } from "../gpu/plan.ts";
import { recordAttentionBackward, recordAttentionForward } from "../nn/attention.ts";
import { recordEmbeddingBackward, recordEmbeddingForward } from "../nn/embedding.ts";
import { recordGeluBackward, recordGeluForward } from "../nn/gelu.ts";
import { recordLayerNormBackward, recordLayerNormForward } from "../nn/layernorm.ts";
import { recordLinearBackward, recordLinearForward } from "../nn/linear.ts";
import { type OperandTextures, operandTextures } from "../nn/matmul.ts";
import { recordLogits, recordLossHead } from "../nn/loss_head.ts";
import { recordDropout, recordResidualForward } from "../nn/residual.ts";
import { selectRow } from "#kernels/select_row.ts";
import {
  type BlockActivations,
  blockShapes,
  operandTexels,
  type SharedActivations,
  sharedShapes,
} from "./activations.ts";
import type { Arena } from "./arena.ts";
import { LAYERNORM_EPSILON, type ModelConfig } from "./config.ts";

/** One micro-batch on the GPU. */
export interface BatchTensors {
  /** The `Step` uniform. */
  step: BufferRange;
  inputs: BufferRange; // (N) u32
  targets: BufferRange; // (N) u32, 0xFFFFFFFF: none
  order: BufferRange; // (N) u32, rows sorted by input token
  segments: BufferRange; // (N + 1) u32, starts in `order`
}

/**
 * GPT-2: learned positions, pre-LayerNorm blocks of causal attention and a tanh-GELU MLP, head tied to the embedding.
 * Owns the activations of one batch shape; records forward and backward passes into plans.
 */
export class Gpt2 {
  readonly #blocks: BlockActivations<Tensor>[];
  readonly #shared: SharedActivations<Tensor>;
  readonly #textures: OperandTextures | null;

  constructor(
    readonly config: ModelConfig,
    /** B: the largest batch that plans may ask for. */
    readonly batchSize: number,
    readonly parameters: Arena,
    readonly gradients: Arena,
    memory: Memory,
  ) {
    const allocate = <T extends object>(prefix: string, shapes: T) =>
      Object.fromEntries(
        Object.entries(shapes).map(([name, shape]) => [name, memory.tensor("activations", `${prefix}${name}`, shape)]),
      );
    this.#blocks = Array.from(
      { length: config.n_layer },
      (_, layer) =>
        allocate(`h.${layer}.`, blockShapes(config, batchSize)) as Record<keyof BlockActivations<Tensor>, Tensor>,
    );
    const { maxTextureDimension2D } = memory.gpu.limits;
    this.#textures = operandTextures(memory, operandTexels(config, batchSize, maxTextureDimension2D));
    this.#shared = allocate("", sharedShapes(config, batchSize)) as Record<keyof SharedActivations<Tensor>, Tensor>;
  }

  /** Loss and gradients of one micro-batch: `total` (1) and the gradient arena grow. */
  recordTraining(plan: Plan, batch: BatchTensors, total: BufferRange): void {
    const { dnormed } = this.#shared;
    this.#recordForward(plan, batch.inputs, batch.step, this.batchSize, this.config.dropout);
    const dtable = this.gradients.shards("transformer.wte.weight");
    this.#recordLoss(plan, batch, total, { dx: dnormed, dtable });
    this.#recordBackward(plan, batch);
  }

  /** Loss of one batch, without dropout: `total` (1) grows. */
  recordEvaluation(plan: Plan, batch: Pick<BatchTensors, "step" | "inputs" | "targets">, total: BufferRange): void {
    this.#recordForward(plan, batch.inputs, batch.step, this.batchSize, 0);
    this.#recordLoss(plan, batch, total, null);
  }

  /** Logits (V) of the token after the `state[0]` tokens of a context (T); shares the training's activations. */
  recordNextToken(plan: Plan, tokens: BufferRange, state: BufferRange, step: BufferRange): Tensor {
    const { n_embd: channels, vocab_size: vocabulary } = this.config;
    const { final, selected, logits } = this.#shared;
    this.#recordForward(plan, tokens, step, 1, 0);
    plan.record(selectRow, { state, x: final, y: selected }, { channels });
    recordLogits(plan, { x: selected, table: this.parameters.shards("transformer.wte.weight"), logits }, {
      channels,
      vocabulary,
    });
    return logits;
  }

  #recordForward(plan: Plan, tokens: BufferRange, step: BufferRange, batch: number, dropout: number): void {
    const { n_head: heads, n_embd: channels, context_length: context } = this.config;
    const { embedded, dropped, branch, final, finalMean, finalRstd } = this.#shared;
    const rows = batch * context;
    const p = this.parameters;
    const norm = { rows, channels, epsilon: LAYERNORM_EPSILON };
    const linear = (name: string, x: Tensor, y: Tensor, inputs: number, outputs: number) =>
      recordLinearForward(plan, { x, weight: p.tensor(`${name}.weight`), bias: p.tensor(`${name}.bias`), y }, {
        rows,
        inputs,
        outputs,
      }, this.#textures);
    const weights = (name: string) => ({ weight: p.tensor(`${name}.weight`), bias: p.tensor(`${name}.bias`) });

    recordEmbeddingForward(
      plan,
      { tokens, table: p.shards("transformer.wte.weight"), positions: p.tensor("transformer.wpe.weight"), x: embedded },
      { batch, context, channels },
    );
    let x = embedded;
    if (dropout > 0) {
      recordDropout(plan, { step, x, y: dropped }, { rows, channels, site: EMBEDDING_SITE, dropout });
      x = dropped;
    }
    for (const [layer, a] of this.#blocks.entries()) {
      const name = `transformer.h.${layer}`;
      const sites = blockSites(layer);
      recordLayerNormForward(plan, { x, ...weights(`${name}.ln_1`), y: a.ln1, mean: a.mean1, rstd: a.rstd1 }, norm);
      linear(`${name}.attn.c_attn`, a.ln1, a.qkv, channels, 3 * channels);
      recordAttentionForward(plan, { step, qkv: a.qkv, y: a.attention, lse: a.lse }, {
        batch,
        heads,
        context,
        head_size: channels / heads,
        site: sites.attention,
        dropout,
      });
      linear(`${name}.attn.c_proj`, a.attention, branch, channels, channels);
      recordResidualForward(plan, { step, x, branch, y: a.middle }, {
        rows,
        channels,
        site: sites.projection,
        dropout,
      });
      recordLayerNormForward(
        plan,
        { x: a.middle, ...weights(`${name}.ln_2`), y: a.ln2, mean: a.mean2, rstd: a.rstd2 },
        norm,
      );
      linear(`${name}.mlp.c_fc`, a.ln2, a.hidden, channels, 4 * channels);
      recordGeluForward(plan, { x: a.hidden, y: a.gelu }, rows * 4 * channels);
      linear(`${name}.mlp.c_proj`, a.gelu, branch, 4 * channels, channels);
      recordResidualForward(plan, { step, x: a.middle, branch, y: a.output }, {
        rows,
        channels,
        site: sites.mlp,
        dropout,
      });
      x = a.output;
    }
    recordLayerNormForward(
      plan,
      { x, ...weights("transformer.ln_f"), y: final, mean: finalMean, rstd: finalRstd },
      norm,
    );
  }

  #recordLoss(
    plan: Plan,
    { step, targets }: Pick<BatchTensors, "step" | "targets">,
    total: BufferRange,
    gradients: Parameters<typeof recordLossHead>[2],
  ): void {
    const { n_embd: channels, vocab_size: vocabulary, context_length: context } = this.config;
    const { final, logits, losses } = this.#shared;
    const table = this.parameters.shards("transformer.wte.weight");
    const rows = this.batchSize * context;
    recordLossHead(plan, { step, x: final, table, targets, logits, losses, total }, gradients, {
      rows,
      channels,
      vocabulary,
    });
  }

  #recordBackward(plan: Plan, { step, inputs, order, segments }: BatchTensors): void {
    const { n_head: heads, n_embd: channels, context_length: context, dropout, bias } = this.config;
    const { embedded, dropped, finalMean, finalRstd, selected } = this.#shared;
    const { dresidual, dbranch, dnormed, dqkv, dhidden, delta } = this.#shared;
    const batch = this.batchSize;
    const rows = batch * context;
    const p = this.parameters;
    const g = this.gradients;
    const linear = (name: string, x: Tensor, dy: Tensor, dx: Tensor, inputs: number, outputs: number) =>
      recordLinearBackward(
        plan,
        {
          x,
          weight: p.tensor(`${name}.weight`),
          dy,
          dx,
          dweight: g.tensor(`${name}.weight`),
          dbias: bias ? g.tensor(`${name}.bias`) : null,
        },
        { rows, inputs, outputs },
        this.#textures,
      );
    const norm = (name: string, x: Tensor, mean: Tensor, rstd: Tensor, accumulate: boolean) =>
      recordLayerNormBackward(plan, {
        x,
        weight: p.tensor(`${name}.weight`),
        dy: dnormed,
        dx: dresidual,
        dweight: g.tensor(`${name}.weight`),
        // A model without biases leaves theirs at zero: the sum goes to scratch.
        dbias: bias ? g.tensor(`${name}.bias`) : selected,
        mean,
        rstd,
      }, { rows, channels, accumulate });
    /** The gradient of what a dropout let through; without dropout the residual stream's own. */
    const throughDropout = (site: number, y: Tensor) => {
      if (dropout === 0) return dresidual;
      recordDropout(plan, { step, x: dresidual, y }, { rows, channels, site, dropout });
      return y;
    };

    const input = dropout > 0 ? dropped : embedded;
    norm("transformer.ln_f", this.#blocks.at(-1)?.output ?? input, finalMean, finalRstd, false);
    for (const [layer, a] of [...this.#blocks.entries()].reverse()) {
      const name = `transformer.h.${layer}`;
      const sites = blockSites(layer);
      linear(`${name}.mlp.c_proj`, a.gelu, throughDropout(sites.mlp, dbranch), dhidden, 4 * channels, channels);
      recordGeluBackward(plan, { x: a.hidden, dx: dhidden }, rows * 4 * channels);
      linear(`${name}.mlp.c_fc`, a.ln2, dhidden, dnormed, channels, 4 * channels);
      norm(`${name}.ln_2`, a.middle, a.mean2, a.rstd2, true);
      linear(
        `${name}.attn.c_proj`,
        a.attention,
        throughDropout(sites.projection, dbranch),
        dnormed,
        channels,
        channels,
      );
      recordAttentionBackward(plan, { step, qkv: a.qkv, y: a.attention, lse: a.lse, dy: dnormed, delta, dqkv }, {
        batch,
        heads,
        context,
        head_size: channels / heads,
        site: sites.attention,
        dropout,
      });
      linear(`${name}.attn.c_attn`, a.ln1, dqkv, dnormed, channels, 3 * channels);
      norm(`${name}.ln_1`, this.#blocks[layer - 1]?.output ?? input, a.mean1, a.rstd1, true);
    }
    recordEmbeddingBackward(plan, {
      tokens: inputs,
      order,
      segments,
      dx: throughDropout(EMBEDDING_SITE, dbranch),
      dtable: g.shards("transformer.wte.weight"),
      dpositions: g.tensor("transformer.wpe.weight"),
    }, { batch, context, channels });
  }
}

/** Each dropout of the model draws its own masks. */
const EMBEDDING_SITE = 0;

function blockSites(layer: number): { attention: number; projection: number; mlp: number } {
  return { attention: 3 * layer + 1, projection: 3 * layer + 2, mlp: 3 * layer + 3 };
}
