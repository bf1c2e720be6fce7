import { align, elements } from "../gpu/sizes.ts";
import type { ParameterSpec } from "./parameters.ts";
import type { StorageTraits } from "./storage.ts";

/**
 * Where each parameter lies in the arena: parameters, gradients and moments are arenas of the same layout, one or more
 * buffers ("blocks") each. Arithmetic only.
 */
export interface ArenaLayout {
  /** Bytes of each block. */
  blocks: number[];
  parameters: PlacedParameter[];
  /** Runs of one decay setting that fit a binding: the optimizer's dispatches. They cover every block, in order. */
  regions: Region[];
}

export interface PlacedParameter {
  spec: ParameterSpec;
  shards: PlacedShard[];
}

export interface PlacedShard {
  block: number;
  /** Bytes. */
  offset: number;
  size: number;
  firstRow: number;
  rows: number;
}

export interface Region {
  block: number;
  offset: number;
  size: number;
  decay: boolean;
}

export interface BindingLimits {
  maxStorageBufferBindingSize: number;
  maxBufferSize: number;
}

/** Shards of a table begin at multiples of this row, so that columns of logits begin on a binding's alignment. */
const SHARD_ROWS = 64;

/** @throws RangeError when a table that cannot be split passes the largest binding */
export function layOut(specs: readonly ParameterSpec[], limits: BindingLimits & StorageTraits): ArenaLayout {
  const blocks: number[] = [];
  const regions: Region[] = [];
  const place = (bytes: number, decay: boolean) => {
    const size = align(bytes);
    if (blocks.length === 0 || blocks[blocks.length - 1] + size > limits.maxBufferSize) blocks.push(0);
    const block = blocks.length - 1;
    const offset = blocks[block];
    blocks[block] += size;
    extendRegions(regions, { block, offset, size, decay }, limits.maxStorageBufferBindingSize);
    return { block, offset };
  };
  // What decays first: so the optimizer needs few dispatches.
  const ordered = [...specs.filter((spec) => spec.decay), ...specs.filter((spec) => !spec.decay)];
  const placed = new Map(ordered.map((spec) => [
    spec.name,
    shardRows(spec, limits).map(({ firstRow, rows, size }) => ({
      ...place(size, spec.decay),
      size,
      firstRow,
      rows,
    })),
  ]));
  return { blocks, regions, parameters: specs.map((spec) => ({ spec, shards: placed.get(spec.name)! })) };
}

function shardRows(
  spec: ParameterSpec,
  { maxStorageBufferBindingSize: maxBinding, software, maxTextureDimension2D }: BindingLimits & StorageTraits,
): { firstRow: number; rows: number; size: number }[] {
  const [total, ...inner] = spec.shape;
  const rowBytes = 4 * elements(inner);
  // Software adapters read tables from textures, which have fewer rows than a vocabulary may have.
  const tableRows = software && spec.splittable ? maxTextureDimension2D : Infinity;
  if (total * rowBytes <= maxBinding && total <= tableRows) {
    return [{ firstRow: 0, rows: total, size: total * rowBytes }];
  }
  const most = Math.floor(Math.min(maxBinding / rowBytes, tableRows) / SHARD_ROWS) * SHARD_ROWS;
  if (!spec.splittable || most === 0) {
    throw new RangeError(`${spec.name} is ${total * rowBytes} bytes, a binding at most ${maxBinding}`);
  }
  return Array.from({ length: Math.ceil(total / most) }, (_, index) => {
    const rows = Math.min(most, total - index * most);
    return { firstRow: index * most, rows, size: rows * rowBytes };
  });
}

/** Grows the last region by a new neighbour, or starts another where block, decay or the largest binding say so. */
function extendRegions(regions: Region[], next: Region, maxBinding: number): void {
  const last = regions.at(-1);
  const joins = last && last.block === next.block && last.decay === next.decay && last.size + next.size <= maxBinding;
  if (joins) last.size += next.size;
  else regions.push(next);
}
