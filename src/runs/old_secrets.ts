import { and, desc, eq, gt, lte, min } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import { old_secrets } from "../db/schema.ts";
import { ConflictError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Clock } from "./clock.ts";
import type { SecretBox } from "./secret_box.ts";

/** A delivery is checked, or signed, once for each. */
export const MAX_OLD_SECRETS = 4;
/** Timers of JavaScript go no further than 24 days. */
export const MAX_OVERLAP_SECONDS = 7 * 86_400;
/** How long the database is left alone after an error of it. */
const DATABASE_PAUSE_MS = 10_000;

/** The secrets of hooks and webhooks that were rotated out and stay valid for a while; past that they are forgotten. */
export class OldSecrets {
  #cancelTimer = () => {};

  constructor(
    private readonly db: Database,
    private readonly box: SecretBox,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** Forgets what expired while no process looked, and goes on doing so. */
  start(): void {
    this.#prune();
  }

  /**
   * Keeps a sealed secret for `overlapSeconds`. Those that its owner rotated out before end with it at the latest: who
   * rotates because a secret leaked may not know which one did.
   * @returns when it ends; null for at once
   * @throws {ConflictError} if there are too many
   */
  keep(ownerId: string, sealedSecret: string, overlapSeconds: number): string | null {
    const isOwners = eq(old_secrets.owner_id, ownerId);
    if (overlapSeconds === 0) {
      this.forget(ownerId);
      return null;
    }
    const expires_at = this.#time(overlapSeconds * 1000);
    const valid = this.#valid(ownerId);
    if (valid.length >= MAX_OLD_SECRETS) {
      const first = valid.map((row) => row.expires_at).sort()[0];
      throw new ConflictError(
        `${valid.length} older secrets are still valid, the first until ${first}: wait, or end them with overlap_seconds 0`,
      );
    }
    this.db.update(old_secrets).set({ expires_at }).where(and(isOwners, gt(old_secrets.expires_at, expires_at))).run();
    this.db.insert(old_secrets).values({ owner_id: ownerId, sealed_secret: sealedSecret, expires_at }).run();
    queueMicrotask(() => this.#prune()); // later: the transaction may be rolled back
    return expires_at;
  }

  /** Those that are valid now, newest first. @throws if the server's key has changed */
  open(ownerId: string): string[] {
    return this.#valid(ownerId).map(({ sealed_secret }) => this.box.open(sealed_secret));
  }

  /** All of an owner's, at once. */
  forget(ownerId: string): void {
    this.db.delete(old_secrets).where(eq(old_secrets.owner_id, ownerId)).run();
  }

  close(): void {
    this.#cancelTimer();
  }

  #valid(ownerId: string) {
    return this.db.select().from(old_secrets)
      .where(and(eq(old_secrets.owner_id, ownerId), gt(old_secrets.expires_at, this.#time())))
      .orderBy(desc(old_secrets.id)).all();
  }

  #prune(): void {
    this.#cancelTimer();
    try {
      this.db.delete(old_secrets).where(lte(old_secrets.expires_at, this.#time())).run();
      const next = this.db.select({ time: min(old_secrets.expires_at) }).from(old_secrets).get()?.time ?? null;
      if (next !== null) this.#pruneAfter(Math.max(1, Date.parse(next) - this.clock.now()));
    } catch (error) {
      this.log.error({ err: error }, "webhook secrets that expired could not be forgotten");
      this.#pruneAfter(DATABASE_PAUSE_MS);
    }
  }

  #pruneAfter(ms: number): void {
    this.#cancelTimer = this.clock.after(ms, () => this.#prune());
  }

  #time(fromNowMs = 0): string {
    return new Date(this.clock.now() + fromNowMs).toISOString();
  }
}
