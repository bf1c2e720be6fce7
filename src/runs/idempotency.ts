import { and, eq, lt } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import { now } from "../db/ids.ts";
import { idempotency_keys } from "../db/schema.ts";
import { UnprocessableError } from "../errors.ts";
import type { SecretBox } from "./secret_box.ts";

export interface Answer<T> {
  status: number;
  body: T;
}

const KEPT_DAYS = 30;

/** First answers by `Idempotency-Key`, kept beside what they created. */
export class IdempotencyStore {
  constructor(private readonly db: Database, private readonly box: SecretBox) {}

  /**
   * Runs `create` once for a key. Both happen in one synchronous transaction, so neither two requests at the same time
   * nor a crash between creating and answering can create twice; where `create` throws, the key stays free.
   * @throws {UnprocessableError} where the key came with another body before
   */
  once<T>(
    request: { key: string | undefined; scope: string; bodySha256: string },
    create: () => Answer<T>,
  ): Answer<T> & { replayed: boolean } {
    const { key, scope, bodySha256 } = request;
    return this.db.transaction(() => {
      if (key === undefined) return { ...create(), replayed: false };
      const first = this.db.select().from(idempotency_keys)
        .where(and(eq(idempotency_keys.scope, scope), eq(idempotency_keys.key, key))).get();
      if (first) {
        if (first.body_sha256 !== bodySha256) {
          throw new UnprocessableError("this Idempotency-Key came with another body before: use a new key");
        }
        return { status: first.status, body: JSON.parse(this.box.open(first.sealed_answer)) as T, replayed: true };
      }
      const answer = create();
      this.db.insert(idempotency_keys).values({
        scope,
        key,
        body_sha256: bodySha256,
        status: answer.status,
        sealed_answer: this.box.seal(JSON.stringify(answer.body)),
        created_at: now(),
      }).run();
      return { ...answer, replayed: false };
    });
  }

  /** Forgets keys older than a month. */
  prune(): void {
    const oldest = new Date(Date.now() - KEPT_DAYS * 86_400_000).toISOString();
    this.db.delete(idempotency_keys).where(lt(idempotency_keys.created_at, oldest)).run();
  }
}
