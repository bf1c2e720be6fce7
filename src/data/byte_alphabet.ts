/**
 * GPT-2's printable stand-in for each byte (`bytes_to_unicode` in https://github.com/openai/gpt-2/blob/master/src/encoder.py):
 * printable Latin-1 stands for itself, every other byte for the next free code point from U+0100 on.
 */
export const BYTE_TO_CHARACTER: readonly string[] = (() => {
  const standsForItself = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  let free = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(standsForItself(byte) ? byte : free++));
})();
