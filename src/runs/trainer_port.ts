import type { Command, Report } from "../train/protocol.ts";

/** A trainer somewhere else: the Worker beside the service, a fake in tests. It is used by one listener. */
export interface TrainerPort {
  post(command: Command): void;
  onReport(listener: (report: Report) => void): void;
  /** The trainer died and will report nothing more. Called at most once, and not after `close()`. */
  onCrash(listener: (cause: Error) => void): void;
  /** Ends it at once, whatever it is doing. */
  close(): void;
}
