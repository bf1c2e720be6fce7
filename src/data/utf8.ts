/** Text is not UTF-8. `offset`: the first byte that belongs to no valid character, counted from the text's start. */
export class InvalidUtf8Error extends Error {
  constructor(readonly offset: number) {
    super(`the text is not valid UTF-8: the byte at offset ${offset} belongs to no character`);
    this.name = "InvalidUtf8Error";
  }
}

const CODE_POINTS_AT_ONCE = 16_384;

/**
 * Strict UTF-8 to code points, over a stream cut anywhere: the WHATWG decoder (https://encoding.spec.whatwg.org/#utf-8-decoder)
 * without its replacement characters. Overlong forms, surrogates, code points past U+10FFFF and an unfinished end
 * throw `InvalidUtf8Error`. A byte order mark is a character like any other.
 */
export class Utf8Decoder {
  readonly #codePoints = new Uint32Array(CODE_POINTS_AT_ONCE);
  /** Bytes of whole and unfinished characters taken so far. */
  #offset = 0;
  /** Where the character being read starts. */
  #start = 0;
  #missing = 0;
  #partial = 0;
  /** What the next continuation byte may be: narrower than 80…BF after E0, ED, F0 and F4. */
  #lowest = 0x80;
  #highest = 0xbf;

  /** Yields the code points of `bytes` in order, in blocks that are valid until the next is asked for. */
  *decode(bytes: Uint8Array): Generator<Uint32Array> {
    for (let from = 0; from < bytes.length; from += CODE_POINTS_AT_ONCE) {
      yield this.#codePoints.subarray(0, this.#decodeBlock(bytes.subarray(from, from + CODE_POINTS_AT_ONCE)));
    }
  }

  /** Says that the text ends here. */
  finish(): void {
    if (this.#missing > 0) throw new InvalidUtf8Error(this.#start);
  }

  #decodeBlock(bytes: Uint8Array): number {
    const codePoints = this.#codePoints;
    let count = 0;
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i];
      if (this.#missing === 0) {
        if (byte < 0x80) codePoints[count++] = byte;
        else this.#begin(byte, this.#offset + i);
        continue;
      }
      if (byte < this.#lowest || byte > this.#highest) throw new InvalidUtf8Error(this.#start);
      this.#lowest = 0x80;
      this.#highest = 0xbf;
      this.#partial = (this.#partial << 6) | (byte & 0x3f);
      if (--this.#missing === 0) codePoints[count++] = this.#partial;
    }
    this.#offset += bytes.length;
    return count;
  }

  #begin(lead: number, offset: number): void {
    this.#start = offset;
    if (lead >= 0xc2 && lead <= 0xdf) {
      this.#missing = 1;
      this.#partial = lead & 0x1f;
    } else if (lead >= 0xe0 && lead <= 0xef) {
      this.#missing = 2;
      this.#partial = lead & 0x0f;
      if (lead === 0xe0) this.#lowest = 0xa0;
      if (lead === 0xed) this.#highest = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      this.#missing = 3;
      this.#partial = lead & 0x07;
      if (lead === 0xf0) this.#lowest = 0x90;
      if (lead === 0xf4) this.#highest = 0x8f;
    } else {
      throw new InvalidUtf8Error(offset);
    }
  }
}

/** Which code points a text has, and how many. */
export class CodePointSet {
  readonly #seen = new Uint8Array(0x110000);
  size = 0;

  addAll(codePoints: Uint32Array): void {
    const seen = this.#seen;
    for (let i = 0; i < codePoints.length; i++) {
      if (seen[codePoints[i]] === 0) {
        seen[codePoints[i]] = 1;
        this.size++;
      }
    }
  }

  /** The members, ascending. */
  sorted(): number[] {
    const members: number[] = [];
    for (let at = this.#seen.indexOf(1); at !== -1; at = this.#seen.indexOf(1, at + 1)) members.push(at);
    return members;
  }
}
