/** Order statistics: on a shared machine the mean says little. */

export interface Summary {
  count: number;
  min: number;
  /** First and third quartile: the spread. */
  q1: number;
  median: number;
  q3: number;
  max: number;
}

/** @throws RangeError where there are no values */
export function summarize(values: readonly number[]): Summary {
  if (values.length === 0) throw new RangeError("no values to summarize");
  const sorted = [...values].sort((a, b) => a - b);
  return {
    count: sorted.length,
    min: sorted[0],
    q1: quantile(sorted, 0.25),
    median: quantile(sorted, 0.5),
    q3: quantile(sorted, 0.75),
    max: sorted[sorted.length - 1],
  };
}

export function median(values: readonly number[]): number {
  return summarize(values).median;
}

/** Between the two nearest ranks, linearly. */
function quantile(sorted: readonly number[], q: number): number {
  const position = q * (sorted.length - 1);
  const low = Math.floor(position);
  const high = Math.ceil(position);
  return sorted[low] + (position - low) * (sorted[high] - sorted[low]);
}

/**
 * The median over rounds of `times[i] / base[i]`: what disturbs the machine disturbs both of a round, and cancels.
 * @returns null where they share no round
 */
export function pairedRatio(times: readonly number[], base: readonly number[]): number | null {
  const rounds = Math.min(times.length, base.length);
  if (rounds === 0) return null;
  return median(Array.from({ length: rounds }, (_, round) => times[round] / base[round]));
}
