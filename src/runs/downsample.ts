/** Points of one curve, by ascending step; a value is NaN where it was not finite when it was stored. */
export interface Points {
  steps: number[];
  values: number[];
}

/**
 * At most `maxPoints` (≥ 2) of the points: equal buckets, of each its minimum and its maximum in the order they came,
 * so that a spike of one step survives any reduction. NaN counts as the largest value: it is what one looks for.
 */
export function downsample({ steps, values }: Points, maxPoints: number): Points {
  if (steps.length <= maxPoints) return { steps, values };
  const buckets = Math.floor(maxPoints / 2);
  const kept: Points = { steps: [], values: [] };
  const keep = (i: number) => {
    kept.steps.push(steps[i]);
    kept.values.push(values[i]);
  };
  for (let bucket = 0; bucket < buckets; bucket++) {
    const from = Math.floor(bucket * steps.length / buckets);
    const to = Math.floor((bucket + 1) * steps.length / buckets);
    let lowest = from;
    let highest = from;
    for (let i = from + 1; i < to; i++) {
      if (isAbove(values[lowest], values[i])) lowest = i;
      if (isAbove(values[i], values[highest])) highest = i;
    }
    keep(Math.min(lowest, highest));
    if (lowest !== highest) keep(Math.max(lowest, highest));
  }
  return kept;
}

function isAbove(a: number, b: number): boolean {
  return Number.isNaN(a) ? !Number.isNaN(b) : a > b;
}
