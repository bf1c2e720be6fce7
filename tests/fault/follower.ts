import type { Event } from "../server/client.ts";
import { waitFor } from "../support/wait_for.ts";

/** A client of `/api/events` that connects again to each server, and asks for what came after what it has seen. */
export class Follower {
  readonly seen: Event[] = [];
  #reading: Promise<void> = Promise.resolve();
  #since = 0;
  #listener: ((event: Event) => void) | null = null;

  /**
   * Follows the server at `url` until it ends.
   * @param since the last event from before its life: those that are replayed are seen, and not waited for
   */
  follow(url: string, since: number): void {
    this.#since = since;
    this.#reading = this.#read(url);
  }

  /** Waits until all has been taken in that a dead server had sent. */
  async settle(): Promise<void> {
    await this.#reading;
  }

  /** Calls `act` with the first event of this life from now on that `wanted` takes, in the moment it arrives. */
  async at(what: string, wanted: (event: Event) => boolean, act: (event: Event) => void = () => {}): Promise<void> {
    let met = false;
    this.#listener = (event) => {
      if (met || event.sequence <= this.#since || !wanted(event)) return;
      met = true;
      act(event);
    };
    await waitFor(what, () => met, { everyMs: 2 });
    this.#listener = null;
  }

  async #read(url: string): Promise<void> {
    const last = this.seen.at(-1)?.sequence ?? 0;
    let text = "";
    const headers = { accept: "text/event-stream", "last-event-id": String(last) };
    const pieces = await fetch(`${url}/api/events`, { headers }).then((response) => response.body!, () => null);
    const reader = pieces?.pipeThrough(new TextDecoderStream()).getReader();
    while (reader) {
      // The server's death ends the stream, with an error or without.
      const { value, done } = await reader.read().catch(() => ({ value: "", done: true }));
      if (done) return;
      const blocks = (text + value).split("\n\n");
      text = blocks.pop()!;
      for (const block of blocks) {
        const data = block.split("\n").find((line) => line.startsWith("data: "));
        if (data) this.#take(JSON.parse(data.slice("data: ".length)));
      }
    }
  }

  #take(event: Event): void {
    this.seen.push(event);
    this.#listener?.(event);
  }
}
