import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { chmodSync, existsSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { EnvError } from "../env.ts";

const KEY_BYTES = 32;
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

  /**
   * Opens with the key in a file, which is made with a random one where there is none, and which nobody else may read.
   * @throws {EnvError} where the file holds no key
   */
  static fromKeyFile(path: string): SecretBox {
    if (!existsSync(path)) {
      // Written beside it and renamed: half of a key, left by a crash, would be taken for one at the next start.
      const temporary = `${path}.${randomBytes(8).toString("hex")}.tmp`;
      writeFileSync(temporary, randomBytes(KEY_BYTES).toString("base64"), { mode: 0o600, flag: "wx", flush: true });
      renameSync(temporary, path);
    } else if ((statSync(path).mode & 0o077) !== 0) {
      chmodSync(path, 0o600); // a copy or a backup's return may have opened it
    }
    const key = readFileSync(path, "utf8");
    if (key.length < KEY_BYTES) {
      throw new EnvError(
        `${path} holds no key: bring back the one that sealed the database's secrets, or remove the file and make the webhooks again`,
      );
    }
    return new SecretBox(key);
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
