/** What a client of a stream of server-sent events would dispatch, in pieces as they come off a socket. */
export class EventStream<E extends { sequence: number } = { sequence: number; data: Record<string, unknown> }> {
  readonly events: E[] = [];
  /** The `id` of each message. */
  readonly ids: number[] = [];
  comments = 0;
  readonly #decoder = new TextDecoder();
  #rest = "";

  push(bytes: Uint8Array): void {
    const blocks = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split("\n\n");
    this.#rest = blocks.pop()!;
    for (const block of blocks) {
      if (block.startsWith(":")) this.comments++;
      else this.#dispatch(block);
    }
  }

  #dispatch(block: string): void {
    const [id, event, data, ...more] = block.split("\n");
    if (!id.startsWith("id: ") || !event.startsWith("event: ") || !data.startsWith("data: ") || more.length > 0) {
      throw new Error(`not a message of three fields:\n${block}`);
    }
    this.ids.push(Number(id.slice("id: ".length)));
    this.events.push(JSON.parse(data.slice("data: ".length)));
  }
}
