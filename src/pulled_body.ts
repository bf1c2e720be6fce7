/** Where a body comes from: `next` is asked for one piece at a time, and gives null at the end. */
export interface Pieces {
  next(): Promise<Uint8Array | null>;
  /** Whoever stops asking before the end says so. */
  leave(): void;
}

/**
 * The body of a response that goes on for long. Anyone may read it as the stream that it is; `http_server.ts` asks
 * `pieces` itself, which spares 10 KiB a client of streams, readers and what they hold.
 */
export class PulledBody extends ReadableStream<Uint8Array> {
  constructor(readonly pieces: Pieces) {
    super({
      async pull(controller) {
        const piece = await pieces.next();
        if (piece === null) controller.close();
        else controller.enqueue(piece);
      },
      cancel: () => pieces.leave(),
    }, { highWaterMark: 0 }); // nothing is asked for before somebody reads
  }
}
