import { packStep, type StepValues } from "#kernels/shared/step.ts";
import type { Batch, EvaluationBatch } from "../data/batches.ts";
import { type RecordLayout, recordLayout, stagedRecords } from "../model/batch_record.ts";

/** Micro-batches packed on the CPU for one upload; see `batch_record.ts`. */
export class Staging {
  readonly layout: RecordLayout;
  readonly capacity: number;
  readonly #bytes: Uint8Array<ArrayBuffer>;

  constructor(readonly rows: number, gradientAccumulationSteps: number) {
    this.layout = recordLayout(rows);
    this.capacity = stagedRecords(rows, gradientAccumulationSteps);
    this.#bytes = new Uint8Array(this.layout.bytes * this.capacity);
  }

  /** Packs the arrays of record `slot`; they may be overwritten after. */
  packBatch(slot: number, batch: Batch | EvaluationBatch): void {
    this.#array(slot, this.layout.inputs).set(batch.inputs);
    this.#array(slot, this.layout.targets).set(batch.targets);
    if (!("order" in batch)) return;
    this.#array(slot, this.layout.order).set(batch.order);
    // Segments past the last are empty: they begin and end at N.
    const segments = this.#array(slot, this.layout.segments, this.rows + 1);
    segments.fill(this.rows);
    segments.set(batch.segments.subarray(0, batch.segmentCount));
  }

  packStep(slot: number, values: StepValues): void {
    this.#bytes.set(packStep(values), slot * this.layout.bytes + this.layout.step);
  }

  /** Uploads the first `count` records. */
  upload(queue: GPUQueue, buffer: GPUBuffer, count: number): void {
    queue.writeBuffer(buffer, 0, this.#bytes, 0, count * this.layout.bytes);
  }

  #array(slot: number, offset: number, length = this.rows): Uint32Array {
    return new Uint32Array(this.#bytes.buffer, slot * this.layout.bytes + offset, length);
  }
}
