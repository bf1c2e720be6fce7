import type { Command, Report } from "../train/protocol.ts";
import type { TrainerPort } from "./trainer_port.ts";

/**
 * The trainer in a Worker. It must not share the HTTP thread: waiting for the GPU blocks a thread under Deno, which
 * stalled the event loop for seconds; from a Worker the longest gap measured was 18 ms.
 */
export function openTrainerWorker(module = new URL("../train/worker.ts", import.meta.url)): TrainerPort {
  const worker = new Worker(module, { type: "module", name: "trainer" });
  let crash: (cause: Error) => void = () => {};
  let ended = false;
  const end = (cause: Error) => {
    if (ended) return;
    ended = true;
    worker.terminate();
    crash(cause);
  };
  worker.onerror = (event) => {
    event.preventDefault(); // an unhandled one ends the whole process
    end(new Error(event.message));
  };
  worker.onmessageerror = () => end(new Error("the trainer sent a message that cannot be read"));
  return {
    post: (command: Command) => worker.postMessage(command),
    onReport(listener) {
      worker.onmessage = (event: MessageEvent<Report>) => listener(event.data);
    },
    onCrash(listener) {
      crash = listener;
    },
    close() {
      ended = true;
      worker.terminate();
    },
  };
}
