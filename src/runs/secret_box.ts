import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Seals small secrets for the database with AES-256-GCM, so that a copy of the database alone gives none away.
 * The key is not in the database: it is `REVERIE_SECRET_KEY`, or a file that only its owner can read.
 */
export class SecretBox {
  readonly #key: Buffer;

  /** @param passphrase any text of enough entropy; its SHA-256 is the key */
  constructor(passphrase: string) {
    this.#key = createHash("sha256").update(passphrase).digest();
  }

  /** Opens with the key in a file, which is made with a random one where there is none. */
  static fromKeyFile(path: string): SecretBox {
    if (!existsSync(path)) {
      writeFileSync(path, randomBytes(32).toString("base64"), { mode: 0o600, flag: "wx", flush: true });
    }
    return new SecretBox(readFileSync(path, "utf8"));
  }

  /** Base64 of nonce, tag and ciphertext. */
  seal(text: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv("aes-256-gcm", this.#key, nonce);
    const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString("base64");
  }

  /** @throws where the box was sealed with another key, or changed */
  open(box: string): string {
    const bytes = Buffer.from(box, "base64");
    const decipher = createDecipheriv("aes-256-gcm", this.#key, bytes.subarray(0, NONCE_BYTES));
    decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    return decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES), undefined, "utf8") + decipher.final("utf8");
  }
}
