import { and, asc, count, desc, eq, gt, inArray, isNull, lt, lte, min, notInArray, sql } from "drizzle-orm";
import { type Database, transactionOfRepeatable } from "../db/client.ts";
import { newId, now } from "../db/ids.ts";
import { type EventType, webhook_deliveries, webhooks } from "../db/schema.ts";
import { ConflictError, NotFoundError, UnprocessableError } from "../errors.ts";
import type { RunEvent } from "./event_log.ts";
import { newHookSecret } from "./hook_signature.ts";
import type { OldSecrets } from "./old_secrets.ts";
import { OutboundUrlError } from "./outbound_url.ts";
import type { SecretBox } from "./secret_box.ts";

export type Endpoint = Omit<typeof webhooks.$inferSelect, "sealed_secret">;
export type Delivery = typeof webhook_deliveries.$inferSelect;

/** What became of an attempt. */
export interface Outcome {
  attempted_at: string;
  response_status: number | null;
  /** Null where the endpoint took it. */
  error: string | null;
  /** When to try again; null for never. */
  next_attempt_at: string | null;
  /** Where the endpoint wants no more deliveries: why. */
  disable_reason: string | null;
}

export interface EndpointChanges {
  url?: string;
  events?: EventType[];
  enabled?: boolean;
}

export const MAX_ENDPOINTS = 100;
/** Of deliveries that are done with. */
export const KEPT_DAYS = 30;
export const KEPT_OF_AN_ENDPOINT = 10_000;
const DAY_MS = 86_400_000;

/** Outbound endpoints and what is to be delivered to them. The plain secret leaves it at creation and for signing only. */
export class WebhookStore {
  /** @param parseUrl throws {@link OutboundUrlError} for what may not be called */
  constructor(
    private readonly db: Database,
    private readonly box: SecretBox,
    private readonly oldSecrets: OldSecrets,
    private readonly parseUrl: (url: string) => URL,
  ) {}

  /** The only time that the secret is shown. @throws {UnprocessableError}, {ConflictError} */
  create(url: string, events: EventType[]): { endpoint: Endpoint; secret: string } {
    this.#checkUrl(url);
    const [{ endpoints }] = this.db.select({ endpoints: count() }).from(webhooks).all();
    if (endpoints >= MAX_ENDPOINTS) {
      throw new ConflictError(`there are ${MAX_ENDPOINTS} endpoints already, the most there may be: delete one`);
    }
    const secret = newHookSecret("standard");
    const endpoint: Endpoint = { id: newId("whe"), url, events, disabled_reason: null, created_at: now() };
    this.db.insert(webhooks).values({ ...endpoint, sealed_secret: this.box.seal(secret) }).run();
    return { endpoint, secret };
  }

  /** Newest first. */
  list(page: { after: string | null; limit: number }): Endpoint[] {
    return this.db.select().from(webhooks)
      .where(page.after === null ? undefined : lt(webhooks.id, page.after))
      .orderBy(desc(webhooks.id)).limit(page.limit).all();
  }

  /** @throws {NotFoundError} */
  get(id: string): Endpoint {
    return this.#row(id);
  }

  /** @throws {NotFoundError}, {UnprocessableError} */
  update(id: string, { enabled, ...changes }: EndpointChanges): Endpoint {
    if (changes.url !== undefined) this.#checkUrl(changes.url);
    return this.db.transaction(() => {
      const { disabled_reason } = this.get(id);
      if (enabled === false && disabled_reason === null) this.disable(id, "disabled by a client");
      const set = { ...changes, ...(enabled === true && { disabled_reason: null }) };
      if (Object.keys(set).length > 0) this.db.update(webhooks).set(set).where(eq(webhooks.id, id)).run();
      return this.get(id);
    });
  }

  /** With its deliveries. @throws {NotFoundError} */
  remove(id: string): void {
    this.db.transaction(() => {
      this.get(id);
      this.db.delete(webhooks).where(eq(webhooks.id, id)).run();
      this.oldSecrets.forget(id);
    });
  }

  /**
   * Gives an endpoint a new secret; for `overlapSeconds` more, messages are signed with the one before too.
   * @throws {NotFoundError}, {ConflictError} if too many secrets are valid
   */
  rotate(
    id: string,
    overlapSeconds: number,
  ): { endpoint: Endpoint; secret: string; oldSecretExpiresAt: string | null } {
    return this.db.transaction(() => {
      const { sealed_secret, ...endpoint } = this.#row(id);
      const secret = newHookSecret("standard");
      const oldSecretExpiresAt = this.oldSecrets.keep(id, sealed_secret, overlapSeconds);
      this.db.update(webhooks).set({ sealed_secret: this.box.seal(secret) }).where(eq(webhooks.id, id)).run();
      return { endpoint, secret, oldSecretExpiresAt };
    });
  }

  /** Nothing more is delivered: what waits fails, and later events make no deliveries. */
  disable(id: string, reason: string): void {
    this.db.transaction(() => {
      this.db.update(webhooks).set({ disabled_reason: reason }).where(eq(webhooks.id, id)).run();
      this.db.update(webhook_deliveries).set({ status: "failed", next_attempt_at: null, error: reason })
        .where(and(eq(webhook_deliveries.webhook_id, id), eq(webhook_deliveries.status, "pending"))).run();
    });
  }

  /** Adds a delivery for each endpoint that wants the event; call it in the event's own transaction. */
  enqueue({ type, timestamp, run_id, sequence, data }: RunEvent): number {
    const wanting = this.db.select({ id: webhooks.id, events: webhooks.events }).from(webhooks)
      .where(isNull(webhooks.disabled_reason)).orderBy(webhooks.id).all().filter(({ events }) => events.includes(type));
    for (const { id } of wanting) this.#insert(id, type, timestamp, { ...data, run_id, sequence });
    return wanting.length;
  }

  /** A message that says nothing but that messages arrive. @throws {NotFoundError}, {ConflictError} */
  ping(id: string): Delivery {
    this.#getEnabled(id);
    return this.#insert(id, "ping", now(), { webhook_id: id });
  }

  /** Makes a delivery due at once, as if it were new. @throws {NotFoundError}, {ConflictError} */
  redeliver(id: string, deliveryId: string): Delivery {
    this.#getEnabled(id);
    const delivery = this.db.update(webhook_deliveries)
      .set({ status: "pending", attempts: 0, next_attempt_at: now() })
      .where(and(eq(webhook_deliveries.webhook_id, id), eq(webhook_deliveries.id, deliveryId))).returning().get();
    if (!delivery) throw new NotFoundError(`delivery of ${id}`, deliveryId);
    return delivery;
  }

  /** Newest first. @throws {NotFoundError} */
  deliveries(id: string, page: { after: string | null; limit: number }): Delivery[] {
    this.get(id);
    return this.db.select().from(webhook_deliveries)
      .where(and(
        eq(webhook_deliveries.webhook_id, id),
        page.after === null ? undefined : lt(webhook_deliveries.id, page.after),
      ))
      .orderBy(desc(webhook_deliveries.id)).limit(page.limit).all();
  }

  /**
   * Gives the due delivery that has waited longest, except those under way and endpoints with enough under way. Each
   * endpoint is asked for its own first: one that answers nothing may have a hundred thousand waiting, which one query
   * for all would read through before it came to another's (0.5 s for 400,000).
   */
  nextDue(at: string, except: { deliveries: string[]; endpoints: string[] }): Delivery | undefined {
    const { id, webhook_id, status, next_attempt_at } = webhook_deliveries;
    let first: { id: string; time: string } | undefined;
    const endpoints = this.db.select({ id: webhooks.id }).from(webhooks).where(
      notInArray(webhooks.id, except.endpoints),
    );
    for (const endpoint of endpoints.all()) {
      const found = this.db.select({ id, time: sql<string>`${next_attempt_at}` }).from(webhook_deliveries)
        .where(and(
          eq(webhook_id, endpoint.id),
          eq(status, "pending"),
          lte(next_attempt_at, at),
          notInArray(id, except.deliveries),
        ))
        .orderBy(asc(next_attempt_at), asc(id)).limit(1).get();
      if (found && (!first || found.time < first.time || (found.time === first.time && found.id < first.id))) {
        first = found;
      }
    }
    return first && this.db.select().from(webhook_deliveries).where(eq(id, first.id)).get();
  }

  /** When the next delivery that is not due yet will be. */
  nextTime(at: string): string | null {
    return this.db.select({ time: min(webhook_deliveries.next_attempt_at) }).from(webhook_deliveries)
      .where(and(eq(webhook_deliveries.status, "pending"), gt(webhook_deliveries.next_attempt_at, at))).get()?.time ??
      null;
  }

  /** The URL to send to and the secrets to sign with, newest first. @throws if the server's key has changed */
  target(id: string): { url: string; secrets: string[] } {
    const { url, sealed_secret } = this.#row(id);
    return { url, secrets: [this.box.open(sealed_secret), ...this.oldSecrets.open(id)] };
  }

  /**
   * Writes down an attempt. A power cut may take it: the delivery is then sent again. A failure counts only for a
   * delivery that still waits: its endpoint may have been disabled meanwhile.
   */
  record({ id, webhook_id, attempts }: Delivery, outcome: Outcome): void {
    const { attempted_at, response_status, error, next_attempt_at, disable_reason } = outcome;
    const status = error === null ? "succeeded" : next_attempt_at === null ? "failed" : "pending";
    transactionOfRepeatable(this.db, () => {
      this.db.update(webhook_deliveries).set({
        status,
        attempts: attempts + 1,
        next_attempt_at,
        last_attempt_at: attempted_at,
        response_status,
        error,
      }).where(and(
        eq(webhook_deliveries.id, id),
        error === null ? undefined : eq(webhook_deliveries.status, "pending"),
      )).run();
      if (disable_reason !== null) this.disable(webhook_id, disable_reason);
    });
  }

  /** Forgets what was done with a month ago, and of a busy endpoint (progress comes five times a second) sooner. */
  prune(): void {
    const oldest = new Date(Date.now() - KEPT_DAYS * DAY_MS).toISOString();
    const isDone = inArray(webhook_deliveries.status, ["succeeded", "failed"]);
    this.db.delete(webhook_deliveries).where(and(isDone, lt(webhook_deliveries.created_at, oldest))).run();
    for (const { id } of this.db.select({ id: webhooks.id }).from(webhooks).all()) {
      const isOfEndpoint = eq(webhook_deliveries.webhook_id, id);
      const kept = this.db.select({ id: webhook_deliveries.id }).from(webhook_deliveries)
        .where(isOfEndpoint).orderBy(desc(webhook_deliveries.id)).limit(1).offset(KEPT_OF_AN_ENDPOINT - 1).get();
      if (!kept) continue;
      this.db.delete(webhook_deliveries).where(and(isOfEndpoint, isDone, lt(webhook_deliveries.id, kept.id))).run();
    }
  }

  #row(id: string): typeof webhooks.$inferSelect {
    const row = this.db.select().from(webhooks).where(eq(webhooks.id, id)).get();
    if (!row) throw new NotFoundError("webhook", id);
    return row;
  }

  #checkUrl(url: string): void {
    try {
      this.parseUrl(url);
    } catch (error) {
      if (!(error instanceof OutboundUrlError)) throw error;
      throw new UnprocessableError(`events cannot be delivered to this URL: ${error.message}`, [
        { path: "url", message: error.message },
      ]);
    }
  }

  #getEnabled(id: string): void {
    const { disabled_reason } = this.get(id);
    if (disabled_reason !== null) throw new ConflictError(`${id} is disabled (${disabled_reason}): enable it first`);
  }

  #insert(webhookId: string, type: string, timestamp: string, data: Record<string, unknown>): Delivery {
    return this.db.insert(webhook_deliveries).values({
      id: newId("msg"),
      webhook_id: webhookId,
      type,
      body: JSON.stringify({ type, timestamp, data }),
      status: "pending",
      next_attempt_at: timestamp,
      created_at: timestamp,
    }).returning().get();
  }
}
