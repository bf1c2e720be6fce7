const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** The waits between attempts: three days in all. */
export const RETRY_DELAYS_MS: readonly number[] = [
  5 * SECOND,
  30 * SECOND,
  2 * MINUTE,
  10 * MINUTE,
  30 * MINUTE,
  1 * HOUR,
  2 * HOUR,
  4 * HOUR,
  ...[6, 6, 7, 7, 7, 7, 8, 8, 8].map((hours) => hours * HOUR),
];
/** Deliveries that failed together are not to come back together. */
const JITTER = 0.2;
/** What a Retry-After may ask for. */
const LONGEST_MS = 8 * HOUR;

/**
 * How long to wait after `attempts` failed ones; null to give up.
 * @param random from 0 to 1
 * @param retryAfterMs what the endpoint asked for; heeded where it is longer than the wait would be
 */
export function retryDelayMs(attempts: number, random: number, retryAfterMs: number | null = null): number | null {
  const delayMs = RETRY_DELAYS_MS.at(attempts - 1);
  if (attempts > RETRY_DELAYS_MS.length || delayMs === undefined) return null;
  return Math.max(delayMs * (1 + JITTER * (2 * random - 1)), Math.min(retryAfterMs ?? 0, LONGEST_MS));
}

/** https://www.rfc-editor.org/rfc/rfc9110#field.retry-after: seconds or a date. Null where it is neither. */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | null {
  if (value === undefined) return null;
  if (/^\d{1,10}$/.test(value)) return Number(value) * SECOND;
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, date - nowMs);
}
