import { destination, type DestinationStream, type Logger, pino } from "pino";
import { currentRequestId } from "./request_context.ts";

export type Log = Pick<Logger, "debug" | "info" | "warn" | "error">;

/** No line is written with these on purpose; should one be, it says nothing. */
const SECRETS = ["authorization", "cookie", "secret", "token", "signature"];

/** JSON lines on stderr, or into `output`: stdout carries nothing but the start-up line. */
export function openLog(level: string, output: DestinationStream = destination({ fd: 2, sync: true })): Logger {
  return pino({
    level,
    base: undefined,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
    mixin: () => {
      const request_id = currentRequestId();
      return request_id === undefined ? {} : { request_id };
    },
  }, output);
}
