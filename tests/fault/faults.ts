import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What happens to a trainer. */
export type FaultKind =
  /** Its thread blocks in JavaScript. */
  | "hang"
  /** Its thread blocks in a call of the system, as in a driver's: nothing can end it but the process's end. */
  | "hang in a call"
  /** The device is lost. */
  | "device lost"
  /** An allocation finds no GPU memory. */
  | "out of memory"
  /** The GPU runs out of memory later, amid the work. */
  | "out of memory late"
  /** An error nobody catches. */
  | "throw"
  /** The Worker closes without a word. */
  | "close";

export interface Fault {
  kind: FaultKind;
  /** Strikes once the trainer has taken so many checkpoints of its run … */
  checkpoints: number;
  /** … at this submit to the GPU's queue after the last of them. */
  submit: number;
}

/** Never written to by anybody: opening it to read waits for ever. */
export const FIFO = "fault.fifo";

/** The faults still to strike, in order, across Workers and processes. */
export class FaultPlan {
  readonly #path: string;

  constructor(readonly dataFolder: string) {
    this.#path = join(dataFolder, "faults.json");
  }

  get left(): Fault[] {
    return existsSync(this.#path) ? JSON.parse(readFileSync(this.#path, "utf8")) as Fault[] : [];
  }

  set left(faults: readonly Fault[]) {
    // Whole at any moment: a Worker may read it.
    writeFileSync(`${this.#path}.new`, JSON.stringify(faults));
    renameSync(`${this.#path}.new`, this.#path);
  }
}
