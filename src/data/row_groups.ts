/**
 * Groups rows by the token they hold, so that the embedding's backward pass can sum the gradients of equal tokens in a
 * fixed order, one thread to a token, without atomics. Buffers are reused: results hold until the next `group`.
 */
export class RowGroups {
  /** Rows sorted by token, equal tokens in row order. */
  readonly order: Uint32Array<ArrayBuffer>;
  /**
   * Group g, the g-th smallest token, is `order[segments[g]]` … `order[segments[g + 1] - 1]`: `count` starts, then
   * the number of rows. What follows is left from earlier groupings.
   */
  readonly segments: Uint32Array<ArrayBuffer>;
  /** Distinct tokens. */
  count = 0;
  readonly #distinct: Uint32Array;
  /** By token: its rows counted, then where its next row goes; all zero between calls. */
  #cursor = new Uint32Array(256);

  constructor(rows: number) {
    this.order = new Uint32Array(rows);
    this.segments = new Uint32Array(rows + 1);
    this.#distinct = new Uint32Array(rows);
  }

  /** A counting sort over the tokens that occur: O(rows + d log d) for d distinct tokens, whatever the vocabulary. */
  group(tokens: Uint32Array): void {
    let count = 0;
    for (let row = 0; row < tokens.length; row++) {
      const token = tokens[row];
      if (token >= this.#cursor.length) this.#makeRoomFor(token);
      if (this.#cursor[token]++ === 0) this.#distinct[count++] = token;
    }
    const distinct = this.#distinct.subarray(0, count).sort();
    const cursor = this.#cursor;
    let start = 0;
    for (let g = 0; g < count; g++) {
      const rows = cursor[distinct[g]];
      this.segments[g] = start;
      cursor[distinct[g]] = start;
      start += rows;
    }
    this.segments[count] = start;
    for (let row = 0; row < tokens.length; row++) this.order[cursor[tokens[row]]++] = row;
    for (let g = 0; g < count; g++) cursor[distinct[g]] = 0;
    this.count = count;
  }

  #makeRoomFor(token: number): void {
    const larger = new Uint32Array(Math.max(token + 1, 2 * this.#cursor.length));
    larger.set(this.#cursor);
    this.#cursor = larger;
  }
}
